// Judges claims about a transparency log with Go's own libraries: golang.org/x/mod/sumdb/note and tlog.
//
// Standard input is a JSON list of claims, standard output a JSON list with the fault found in each, "" where it is accepted.
// Nothing of ours is used but the bytes that are judged; the one thing Go's note package does not bring is the cosignature of
// C2SP tlog-cosignature, which is added below as a note.Verifier.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type claim struct {
	Note      string
	Keys      []string // of the log: each that signed must verify, and one must
	Cosigners []string // of its witnesses: each must have signed
	Leaf      []byte
	Index     int64
	Hashes    [][]byte
	Old       *struct {
		Size  int64
		Root  []byte
		Proof [][]byte
	}
	Tiles map[string][]byte // by their tlog-tiles path
}

func main() {
	var claims []claim
	if err := json.NewDecoder(os.Stdin).Decode(&claims); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	faults := make([]string, len(claims))
	for i := range claims {
		if err := judge(&claims[i]); err != nil {
			faults[i] = err.Error()
		}
	}
	json.NewEncoder(os.Stdout).Encode(faults)
}

func judge(c *claim) error {
	tree, err := openCheckpoint(c)
	if err != nil {
		return err
	}
	leaf := tlog.RecordHash(c.Leaf)
	path, err := hashes(c.Hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(tlog.RecordProof(path), tree.N, tree.Hash, c.Index, leaf); err != nil {
		return err
	}
	if c.Old != nil {
		if err := checkOld(c, tree); err != nil {
			return err
		}
	}
	if c.Tiles != nil {
		return checkTiles(c, tree, leaf, path)
	}
	return nil
}

func openCheckpoint(c *claim) (tree tlog.Tree, err error) {
	var known []note.Verifier
	logs := map[uint32]bool{}
	for _, key := range c.Keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return tree, err
		}
		known = append(known, verifier)
		logs[verifier.KeyHash()] = true
	}
	for _, key := range c.Cosigners {
		verifier, err := newCosigner(key)
		if err != nil {
			return tree, err
		}
		known = append(known, verifier)
	}
	opened, err := note.Open([]byte(c.Note), note.VerifierList(known...))
	if err != nil {
		return tree, err
	}
	signed := map[bool]int{}
	for _, one := range opened.Sigs {
		signed[logs[one.Hash]]++
	}
	if signed[true] == 0 || signed[false] != len(c.Cosigners) {
		return tree, errors.New("a signature is missing")
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != opened.Sigs[0].Name {
		return tree, errors.New("not this log's checkpoint")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func checkOld(c *claim, tree tlog.Tree) error {
	proof, err := hashes(c.Old.Proof)
	if err != nil {
		return err
	}
	return tlog.CheckTree(tlog.TreeProof(proof), tree.N, tree.Hash, c.Old.Size, tlog.Hash(c.Old.Root))
}

// checkTiles has Go read the tiles against the root, and make the proof itself: it must be ours.
func checkTiles(c *claim, tree tlog.Tree, leaf tlog.Hash, path []tlog.Hash) error {
	reader := tlog.TileHashReader(tree, tiles(c.Tiles))
	proof, err := tlog.ProveRecord(tree.N, c.Index, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, c.Index, leaf); err != nil {
		return err
	}
	for i := range proof {
		if proof[i] != path[i] {
			return errors.New("another proof than the tiles give")
		}
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err == nil && root != tree.Hash {
		err = errors.New("another root than the tiles give")
	}
	return err
}

type tiles map[string][]byte

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1) // tlog-tiles leaves the height out
		data, ok := t[path]
		if !ok {
			return nil, fmt.Errorf("no %s", path)
		}
		found = append(found, data)
	}
	return found, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func hashes(raw [][]byte) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, one := range raw {
		if len(one) != tlog.HashSize {
			return nil, errors.New("a hash of another length")
		}
		list = append(list, tlog.Hash(one))
	}
	return list, nil
}

// A cosigner of C2SP tlog-cosignature: type 4, its time in front of the Ed25519 signature.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, errors.New("not a cosigner's key")
	}
	sum := sha256.Sum256(bytes.Join([][]byte{[]byte(parts[0]), key}, []byte("\n")))
	if fmt.Sprintf("%x", sum[:4]) != parts[1] {
		return nil, errors.New("a key with another's id")
	}
	return &cosigner{parts[0], binary.BigEndian.Uint32(sum[:4]), key[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", at, text)
	return ed25519.Verify(c.key, []byte(message), signature[8:])
}
