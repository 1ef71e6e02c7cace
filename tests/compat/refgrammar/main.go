// Reads references, one JSON string a line, and prints for each what docker's own grammar makes
// of it, one JSON object a line.
package main

import (
	"bufio"
	_ "crypto/sha256" // a digest is refused where its hash is not linked in
	_ "crypto/sha512"
	"encoding/json"
	"os"

	"github.com/distribution/reference"
)

type answer struct {
	Error     string `json:"error,omitempty"`
	Domain    string `json:"domain,omitempty"`
	Path      string `json:"path,omitempty"`
	Tag       string `json:"tag,omitempty"`
	Digest    string `json:"digest,omitempty"`
	Familiar  string `json:"familiar,omitempty"`
	Canonical string `json:"canonical,omitempty"`
}

func explain(text string) answer {
	// ParseDockerRef would drop the tag where there is a digest too; this keeps both.
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	familiar := reference.FamiliarString(named) // without the default tag, as it was written
	named = reference.TagNameOnly(named)
	found := answer{
		Domain:    reference.Domain(named),
		Path:      reference.Path(named),
		Familiar:  familiar,
		Canonical: named.String(),
	}
	if tagged, ok := named.(reference.Tagged); ok {
		found.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		found.Digest = digested.Digest().String()
	}
	return found
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	printer := json.NewEncoder(out)
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			panic(err)
		}
		if err := printer.Encode(explain(text)); err != nil {
			panic(err)
		}
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}
