package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"sort"
	"strings"
)

// The table's form (read by src/api/generated-schema.ts):
//
//	{"versions": {"apps/v1": {"package": "io.k8s.api.apps.v1", "kinds": ["Deployment", ...]}},
//	 "enums": {"io.k8s.api.core.v1.PodPhase": ["Pending", ...]},
//	 "structures": {"io.k8s.api.core.v1.SecretReference": {"mapType"?, "union"?: {"discriminator"?, "members": {name: Go name}}}},
//	 "types": {"io.k8s.api.core.v1.Pod": [[name, type, number, flags, extra?], ...]}}
//
// type: s b i l d y (string boolean int32 int64 double bytes), q t m u o x (quantity time microTime duration
// intOrString any), [T array, {T map, #name object. flags: 1 required, 2 pointer, 4 omitempty, 8 omitzero.
var letters = map[string]string{"string": "s", "boolean": "b", "int32": "i", "int64": "l", "double": "d", "bytes": "y", "quantity": "q", "time": "t", "microTime": "m", "duration": "u", "intOrString": "o", "any": "x"}

func typeCode(v value) string {
	switch v.kind {
	case "array":
		return "[" + typeCode(*v.items)
	case "map":
		return "{" + typeCode(*v.items)
	case "object":
		return "#" + v.object
	}
	return letters[v.kind]
}

// derivedGoType is what the reader assumes when the table gives no Go type.
func derivedGoType(v value) string {
	switch v.kind {
	case "array":
		return "[]" + derivedGoType(*v.items)
	case "map":
		return "map[string]" + derivedGoType(*v.items)
	case "object":
		labels := strings.Split(v.object, ".")
		return strings.Join(labels[len(labels)-2:], ".")
	case "boolean":
		return "bool"
	case "double":
		return "float64"
	case "bytes":
		return "[]uint8"
	case "quantity":
		return "resource.Quantity"
	case "time":
		return "v1.Time"
	case "microTime":
		return "v1.MicroTime"
	case "duration":
		return "v1.Duration"
	case "intOrString":
		return "intstr.IntOrString"
	}
	return v.kind
}

func writeTable(r *resolver, to string) error {
	versions := map[string]any{}
	for _, importPath := range apiPackages {
		p := r.packages[importPath]
		kinds := []string{}
		for _, name := range p.order {
			if s := r.structs[schemaName(importPath, name)]; s != nil && s.isKind && name != "TypeMeta" {
				kinds = append(kinds, name)
			}
		}
		key := p.version
		if p.group != "" {
			key = p.group + "/" + p.version
		}
		prefix := schemaName(importPath, "")
		versions[key] = map[string]any{"package": strings.TrimSuffix(prefix, "."), "kinds": kinds}
	}
	enums := map[string][]string{}
	enumOf := func(v value) string {
		for v.items != nil {
			v = *v.items
		}
		if v.enum == "" {
			return ""
		}
		name := schemaName(path.Dir(v.enum)+"/"+strings.Split(path.Base(v.enum), ".")[0], strings.Split(path.Base(v.enum), ".")[1])
		importPath := path.Dir(v.enum) + "/" + strings.Split(path.Base(v.enum), ".")[0]
		enums[name] = append([]string{}, r.packages[importPath].enums[strings.Split(path.Base(v.enum), ".")[1]]...)
		sort.Strings(enums[name])
		return name
	}
	structures := map[string]any{}
	for _, name := range r.order {
		facts := map[string]any{}
		if s := r.structs[name]; s.structType != "" {
			facts["mapType"] = s.structType
		}
		if u := r.structs[name].union; u != nil {
			one := map[string]any{"members": u.members}
			if u.discriminator != "" {
				one["discriminator"] = u.discriminator
			}
			facts["union"] = one
		}
		if len(facts) > 0 {
			structures[name] = facts
		}
	}
	types := map[string]any{}
	for _, name := range r.order {
		rows := []any{}
		for _, f := range r.structs[name].fields {
			flags := 0
			for bit, set := range []bool{f.required, f.value.pointer, f.omitEmpty, f.omitZero} {
				if set {
					flags |= 1 << bit
				}
			}
			extra := map[string]any{}
			if len(f.embedded) > 0 {
				extra["embedded"] = f.embedded
			}
			if len(f.embeddedIn) > 0 {
				extra["embeddedIn"] = f.embeddedIn
			}
			if f.defaultsTo != nil {
				extra["default"] = f.defaultsTo
			}
			if f.strategies != nil {
				extra["patchStrategy"] = f.strategies
			}
			if f.mergeKey != "" {
				extra["patchMergeKey"] = f.mergeKey
			}
			if f.listType != "" {
				extra["listType"] = f.listType
			}
			if f.mapKeys != nil {
				extra["listMapKeys"] = f.mapKeys
			}
			if f.mapType != "" {
				extra["mapType"] = f.mapType
			}
			if enum := enumOf(f.value); enum != "" {
				extra["enum"] = enum
			}
			if f.value.goType != derivedGoType(f.value) {
				extra["goType"] = f.value.goType
			}
			row := []any{f.name, typeCode(f.value), f.number, flags}
			if len(extra) > 0 {
				row = append(row, extra)
			}
			rows = append(rows, row)
		}
		types[name] = rows
	}
	// One type a line keeps differences between versions readable.
	var out bytes.Buffer
	encode := func(v any) string {
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			panic(err)
		}
		return strings.TrimSpace(buffer.String())
	}
	section := func(name string, keys []string, get func(string) any) {
		out.WriteString("\"" + name + "\": {\n")
		for i, key := range keys {
			out.WriteString(encode(key) + ": " + encode(get(key)))
			if i < len(keys)-1 {
				out.WriteString(",")
			}
			out.WriteString("\n")
		}
		out.WriteString("}")
	}
	out.WriteString("{\n")
	section("versions", sortedKeys(versions), func(key string) any { return versions[key] })
	out.WriteString(",\n")
	section("enums", sortedKeys(enums), func(key string) any { return enums[key] })
	out.WriteString(",\n")
	section("structures", sortedKeys(structures), func(key string) any { return structures[key] })
	out.WriteString(",\n")
	section("types", sortedKeys(types), func(key string) any { return types[key] })
	out.WriteString("\n}\n")
	return os.WriteFile(to, out.Bytes(), 0o644)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
