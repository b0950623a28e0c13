package cloudinittest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
)

// Awkward are values that YAML's parsers read in different ways.
var Awkward = []string{
	"y", "n", "yes", "No", "on", "OFF", "true", "TRUE", "~", "null", "Null", "0899", "0644", "0o17", "0x1F", "0b101",
	"1e3", "7E10", "1.5e3", "1.5e+3",
	"12:30:45", "190:20:30.15", "1_000", "+12", "-0", ".5", "5.", ".inf", "-.INF", ".nan", "685_230.15",
	"12345678901234567890", "2001-12-14",
	"2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5", "'y'", `"0899"`, `"a\nb\n"`, `"\ta "`, `"\u2028\x07"`,
	"|\n   a\n    b\n", "|2-\n     a\n   b\n",
	">\n   0899\n", ">-\n   a\n   b\n\n   c\n", "|+\n   a\n\n", "|\n   $HOME \n   \tx\n", "!!str 12", "!!str y",
	"!!int '5'", "!!float 3", "!!binary aGVsbG8=", "!!binary |\n   aGVs\n   bG8=\n",
	"! 12", "!!null ''", "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1, a: 2]", "[a, , ]", "{a, b: }", "[http://x:1/]",
	"{a: 0899}", "a b: c", "#x", "a #b", "a#b", "''", "", "-", "- 0899",
	"2001-02-31", "2001-1-32", "2001-2-30 10:00:00", "2001-02-03T24:00:00", "2001-02-03 4:05:06", "2001-02-03 04:05:60",
	"0000-01-01", "9999-12-31", "2001-02-03 04:05:06 +30", "2001-02-03 04:05:06 -23:59",
	"2001-02-03 04:05:06 +23:60", "0001-01-01 00:00:00 +1", "9999-12-31 23:00:00 -2", "2001-02-03 04:05:06.123456789Z",
	"2001-13-01", "2024-02-29", "2023-02-29", "0x_", "-0b_", "0b", "0b2_", "1__", "1_.5", "_1",
	"!!int y", "!!int 0x", "!!float x", "!!bool x", "!!bool Yes", "!!binary a", "!!binary 'é'", "!!binary ''",
	"!!binary [a]", "!!timestamp x", "!!null x", "!!set [a]", "!!map [a]", "!!map {a: b}", "!!seq [a]", "!!seq {a: b}",
	"!!omap [a]", "!!pairs {a: b}", "!!str [a]", "!!python/unicode x", "!!python/tuple [a]", "\"\\0\"",
	"\"\\x80\\x7f\\uFFFE\"",
	strings.Repeat("9",
		4301), strings.Repeat("9", 257) + ".5", "1" + strings.Repeat(":1", 180) + ".5", "0x" + strings.Repeat("f", 300),
	"1e+" + strings.Repeat("9", 300),
	"1:60", "1:59:59.5", "-1:30", "9999999999999999999999e9", "1.e+3", ".e+3", "0.1.2", "1:2:3.", "._", "_._", "-._1",
	"0_", "0o_", "0b1_", "+0x_1",
	"é", "😀", "\u00a0", "'it''s'", "plain\n  over lines", "plain\n\n  over lines", "-1", "- - a\n  - 0899",
	"[[y], {n: y}]", "%a", "a: b", "@a", "*x", "&x a", "? a", "a\r\n", "=", "<<", "x: <<",
}

// AwkwardDocuments are documents of such values, good and bad ones. YAML_DOCUMENTS says how many.
func AwkwardDocuments() []string {
	docs := []string{
		"a: &x 0899\nb: *x\nc: [*x, *x]\n",
		"base: &base {a: 0899, b: y}\nthis: {<<: *base, b: n}\n",
		"base: &b {a: 1}\nmore: &m {a: 2, c: 3}\nthis:\n  <<: [*b, *m]\n  d: 4\nlast:\n  d: 4\n  a: 5\n  <<: *m\n",
		"a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n",
		"1: a\n'1': b\nyes: c\n~: d\n2001-01-01: e\n0x1F: f\n1.5: g\n",
		"<<: {a: 1}\nb: 2\n", "'<<': {a: 1}\n", "!!merge <<: {a: 1}\n", "=: 1\n",
		"a: 1\n...\n", "%YAML 1.1\n---\na: 1\n", "a: 1 # comment\n# another\nb:\n# a third\n- c\n", "? a\n: b\n",
		"? |\n  a\n  b\n: c\n", "? [a]\n: b\n",
		"%TAG !y! tag:yaml.org,2002:\n---\na: !y!str 12\n", "# only a comment\n", "---\n", "a:\n- b\n-\n  - c\n",
		"\ufeffa: 1\n", "a: 1\r\nb: |\r\n  c\r\n  d\r\n",
		strings.Repeat("k",
			200) + ": v\n", "\"a\\nb\": c\n", "a: " + strings.Repeat("word ", 100) + "\n",
		"a: '" + strings.Repeat("word ", 100) + "'\n",
	}
	for _, v := range Awkward {
		docs = append(docs, "k: "+v+"\n", "k:\n- "+v+"\n- z\n", "k: ["+v+"]\n", v+": k\n", "{k: "+v+"}\n")
	}
	random := rand.New(rand.NewPCG(1, 2))
	count, _ := strconv.Atoi(os.Getenv("YAML_DOCUMENTS"))
	for range max(count, 2000) {
		var b strings.Builder
		for i := range 1 + random.IntN(4) {
			between := []string{": ", ":\n- ", ":\n  - ", ": [", ": {a: ", ":", ":\n  x: "}[random.IntN(7)]
			fmt.Fprintf(&b, "k%d%s", i, between)
			for range 1 + random.IntN(3) {
				b.WriteString(Awkward[random.IntN(len(Awkward))])
				b.WriteString([]string{"", " ", "\n", ", ", "\n- ", "\n  ", "\n  y: ", "]", "}", "'", `"`, "\t"}[random.IntN(12)])
			}
			switch {
			case strings.HasSuffix(between, "["):
				b.WriteString("]")
			case strings.Contains(between, "{"):
				b.WriteString("}")
			}
			b.WriteString("\n")
		}
		docs = append(docs, b.String())
	}
	return docs
}
