// Renders the templates of a Helm chart, for tests: Helm itself is in no package of Debian.
//
// It is Go's own template engine, which Helm's is, with the functions below, as Helm and its library of functions define
// them; a template that uses another one is refused when it is parsed. What Helm does beside rendering (dependencies,
// hooks, files, look-ups) is not here.
//
// On standard input {"Chart": {...}, "Release": {...}, "Values": {...}, "Templates": {NAME: TEXT}}; on standard output
// {NAME: RENDERED}.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"text/template"
)

type input struct {
	Chart, Release, Values map[string]interface{}
	Templates              map[string]string
}

func empty(v interface{}) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String, reflect.Map, reflect.Slice:
		return r.Len() == 0
	default:
		return r.IsZero()
	}
}

// yaml writes a value in block style, maps by their keys in order, as Helm's toYaml does. Texts are quoted always.
func yaml(b *strings.Builder, v interface{}, pad string) {
	switch x := v.(type) {
	case map[string]interface{}:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			fmt.Fprintf(b, "%s%q:", pad, k)
			nested(b, x[k], pad)
		}
	case []interface{}:
		for _, e := range x {
			b.WriteString(pad + "-")
			nested(b, e, pad)
		}
	}
}

func nested(b *strings.Builder, v interface{}, pad string) {
	switch x := v.(type) {
	case map[string]interface{}, []interface{}:
		if !empty(x) {
			b.WriteString("\n")
			yaml(b, x, pad+"  ")
			return
		}
	}
	scalar, _ := json.Marshal(v)
	b.WriteString(" " + string(scalar) + "\n")
}

func toYaml(v interface{}) string {
	if empty(v) {
		scalar, _ := json.Marshal(v)
		return string(scalar)
	}
	switch v.(type) {
	case map[string]interface{}, []interface{}:
		var b strings.Builder
		yaml(&b, v, "")
		return strings.TrimSuffix(b.String(), "\n")
	}
	scalar, _ := json.Marshal(v)
	return string(scalar)
}

func indent(n int, s string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(s, "\n", "\n"+pad)
}

func functions(all *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			var b strings.Builder
			err := all.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
		"required": func(message string, v interface{}) (interface{}, error) {
			if v == nil || v == "" {
				return nil, errors.New(message)
			}
			return v, nil
		},
		"default": func(d interface{}, v ...interface{}) interface{} {
			if len(v) == 0 || empty(v[0]) {
				return d
			}
			return v[0]
		},
		"toYaml":     toYaml,
		"indent":     indent,
		"nindent":    func(n int, s string) string { return "\n" + indent(n, s) },
		"quote":      func(v interface{}) string { return fmt.Sprintf("%q", fmt.Sprint(v)) },
		"contains":   func(part, s string) bool { return strings.Contains(s, part) },
		"trimSuffix": func(suffix, s string) string { return strings.TrimSuffix(s, suffix) },
		"trunc": func(n int, s string) string {
			if n < len(s) {
				return s[:n]
			}
			return s
		},
	}
}

func render(in *input) (map[string]string, error) {
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	for name, text := range in.Templates {
		if _, err := all.New(name).Parse(text); err != nil {
			return nil, err
		}
	}
	out := map[string]string{}
	for name := range in.Templates {
		if strings.HasPrefix(name, "_") {
			continue
		}
		var b strings.Builder
		data := map[string]interface{}{"Chart": in.Chart, "Release": in.Release, "Values": in.Values}
		if err := all.ExecuteTemplate(&b, name, data); err != nil {
			return nil, err
		}
		out[name] = strings.ReplaceAll(b.String(), "<no value>", "")
	}
	return out, nil
}

func main() {
	var in input
	err := json.NewDecoder(os.Stdin).Decode(&in)
	var out map[string]string
	if err == nil {
		out, err = render(&in)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
