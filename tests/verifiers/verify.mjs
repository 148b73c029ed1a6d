// Judges claims about a transparency log with npm's @sigstore/verify: `node verify.mjs <folder it is installed in>`.
//
// Standard input is a JSON list of claims, standard output a JSON list with the fault found in each, "" where it is accepted.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const dist = join(process.argv[2], "node_modules/@sigstore/verify/dist/tlog");
const require = createRequire(import.meta.url);
const { verifyCheckpoint } = require(join(dist, "checkpoint.js"));
const { verifyMerkleInclusion } = require(join(dist, "merkle.js"));

const bytes = (text) => Buffer.from(text, "base64");
const spki = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410: what stands before the 32 bytes of an Ed25519 key

function log(vkey) {
  const [name, id, ...rest] = vkey.split("+");
  const key = bytes(rest.join("+")).subarray(1);
  return {
    logID: Buffer.from(id, "hex"),
    baseURL: name,
    publicKey: createPublicKey({ key: Buffer.concat([spki, key]), format: "der", type: "spki" }),
  };
}

function judge(claim) {
  const entry = {
    canonicalizedBody: bytes(claim.Leaf),
    inclusionProof: {
      checkpoint: { envelope: claim.Note },
      hashes: claim.Hashes.map(bytes),
      logIndex: String(claim.Index),
    },
  };
  try {
    verifyMerkleInclusion(entry, verifyCheckpoint(entry, claim.Keys.map(log)));
    return "";
  } catch (error) {
    if (error.name !== "VerificationError") throw error;
    return error.message;
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(judge)));
