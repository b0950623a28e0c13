// Command words looks for words that we have retired, in what people read: names and comments of Go code, docs, config.
//
//	go run ./hack/words             list each with its place, and fail if there is any; part of make verify
//	go run ./hack/words -list       count them by word and directory
//	go run ./hack/words -glossary   print the table of docs/glossary.md
//
// words.yaml says which words these are, what to use instead, and where one of them is right all the same.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	list := flag.Bool("list", false, "count the retired words by word and directory")
	glossary := flag.Bool("glossary", false, "print the table of retired words")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *list, *glossary); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, list, glossary bool) error {
	l, err := readList()
	if err != nil {
		return err
	}
	if glossary {
		_, err := io.WriteString(out, l.table())
		return err
	}
	root, err := output(ctx, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	found, err := search(ctx, strings.TrimSpace(root), l)
	if err != nil {
		return err
	}
	if list {
		count(out, found)
		return nil
	}
	for _, f := range found {
		fmt.Fprintf(out, "%s:%d: %q: use %s\n", f.file, f.line, f.text, f.use)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d retired words; docs/glossary.md has ours, and "+
			"hack/words/words.yaml takes exceptions with their reasons", len(found))
	}
	return nil
}

// search looks at all files that git tracks or would.
func search(ctx context.Context, root string, l *list) ([]finding, error) {
	names, err := output(ctx, "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, name := range strings.Split(strings.Trim(names, "\x00"), "\x00") {
		if !l.looksAt(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			return nil, err
		}
		in, err := l.search(name, text)
		if err != nil {
			return nil, err
		}
		found = append(found, in...)
	}
	return found, nil
}

// count prints how often each word is where, the most frequent first.
func count(out io.Writer, found []finding) {
	words, total := map[string]map[string]int{}, map[string]int{}
	for _, f := range found {
		if words[f.word] == nil {
			words[f.word] = map[string]int{}
		}
		words[f.word][directory(f.file)]++
		total[f.word]++
	}
	byCount := func(of map[string]int) []string {
		return slices.SortedFunc(maps.Keys(of), func(a, b string) int {
			return cmp.Or(cmp.Compare(of[b], of[a]), strings.Compare(a, b))
		})
	}
	for _, word := range byCount(total) {
		fmt.Fprintf(out, "%5d %s\n", total[word], word)
		for _, dir := range byCount(words[word]) {
			fmt.Fprintf(out, "      %5d %s\n", words[word][dir], dir)
		}
	}
	fmt.Fprintf(out, "%5d in all\n", len(found))
}

// directory is that of a file, two levels deep at most.
func directory(file string) string {
	parts := strings.Split(path.Dir(file), "/")
	return path.Join(parts[:min(len(parts), 2)]...)
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}
