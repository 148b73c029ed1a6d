// Runs map.jsonata over the families: `node run.mjs <jsonata's folder> <map> <input.json> <output.json> <seconds> <rounds>`.
// Writes {results, perSecond}; results are those of the first pass, the figure is the best round after it.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, map, input, output, seconds, rounds] = process.argv.slice(2);
const jsonata = createRequire(`${folder}/`)("jsonata");
const { families, tables } = JSON.parse(readFileSync(input, "utf8"));
const expression = jsonata(readFileSync(map, "utf8"));
const bindings = { tables };

const results = [];
for (const family of families) results.push(await expression.evaluate(family, bindings));

let perSecond = 0;
for (let round = 0; round < Number(rounds); round++) {
  const start = process.hrtime.bigint();
  const limit = BigInt(Math.round((Number(seconds) / Number(rounds)) * 1e9));
  let done = 0;
  while (process.hrtime.bigint() - start < limit) {
    for (const family of families) await expression.evaluate(family, bindings);
    done += families.length;
  }
  perSecond = Math.max(perSecond, done / (Number(process.hrtime.bigint() - start) / 1e9));
}
writeFileSync(output, JSON.stringify({ results, perSecond }));
