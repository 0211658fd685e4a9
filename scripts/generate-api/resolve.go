package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"path"
	"strings"
)

// value is a field's type as src/api/schema.ts knows it.
type value struct {
	kind    string // string boolean int32 int64 double bytes quantity time microTime duration intOrString any array map object
	items   *value // array, map
	object  string // schema name, object
	goType  string // as Go prints it
	enum    string // named string type with a closed set of values
	pointer bool
}

type field struct {
	name       string
	value      value
	number     int
	embedded   []int    // protobuf numbers of the messages the field is embedded through
	embeddedIn []string // and their Go names
	required   bool
	omitEmpty  bool
	omitZero   bool
	defaultsTo any
	strategies []string
	mergeKey   string
	listType   string
	mapKeys    []string
	mapType    string
}

type structType struct {
	schemaName string
	pkg        *pkg
	name       string
	fields     []field
	isKind     bool   // has TypeMeta
	metadata   string // "object", "list" or ""
	structType string // "atomic", "granular" or ""
	union      *union // nil where the fields do not exclude one another
}

// union says which of a struct's fields may be set: the one that the discriminator, if there is one, names.
type union struct {
	discriminator string
	members       map[string]string // name in JSON -> in Go, as the discriminator spells it
}

type resolver struct {
	packages map[string]*pkg
	structs  map[string]*structType
	order    []string
}

func schemaName(importPath, name string) string {
	domain, rest, _ := strings.Cut(importPath, "/")
	labels := strings.Split(domain, ".")
	for i, j := 0, len(labels)-1; i < j; i, j = i+1, j-1 {
		labels[i], labels[j] = labels[j], labels[i]
	}
	return strings.Join(labels, ".") + "." + strings.ReplaceAll(rest, "/", ".") + "." + name
}

func (r *resolver) lookup(p *pkg, file *ast.File, expr ast.Expr) (string, string) {
	switch expr := expr.(type) {
	case *ast.Ident:
		return p.path, expr.Name
	case *ast.SelectorExpr:
		local := expr.X.(*ast.Ident).Name
		return p.imports[file][local], expr.Sel.Name
	}
	panic(fmt.Sprintf("%s: unexpected expression %T", p.path, expr))
}

var basic = map[string]string{"string": "string", "bool": "boolean", "int32": "int32", "int64": "int64", "int": "int64", "uint32": "int64", "uint16": "int32", "float64": "double"}

func (r *resolver) resolve(p *pkg, file *ast.File, expr ast.Expr) value {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		inner := r.resolve(p, file, expr.X)
		inner.pointer = true
		return inner
	case *ast.ArrayType:
		if ident, ok := expr.Elt.(*ast.Ident); ok && (ident.Name == "byte" || ident.Name == "uint8") {
			return value{kind: "bytes", goType: "[]uint8"}
		}
		items := r.resolve(p, file, expr.Elt)
		return value{kind: "array", items: &items, goType: "[]" + items.goType}
	case *ast.MapType:
		key := r.resolve(p, file, expr.Key)
		values := r.resolve(p, file, expr.Value)
		return value{kind: "map", items: &values, goType: "map[" + key.goType + "]" + values.goType}
	case *ast.InterfaceType:
		return value{kind: "any", goType: "interface {}"}
	case *ast.Ident:
		if kind, ok := basic[expr.Name]; ok {
			return value{kind: kind, goType: expr.Name}
		}
	}
	importPath, name := r.lookup(p, file, expr)
	goType := path.Base(importPath) + "." + name
	if kind, ok := special[importPath+"."+name]; ok {
		return value{kind: kind, goType: goType}
	}
	if kind, ok := namedElsewhere[importPath+"."+name]; ok {
		return value{kind: kind, goType: goType}
	}
	other, ok := r.packages[importPath]
	if !ok {
		panic(fmt.Sprintf("%s names %s.%s, whose package is not read", p.path, importPath, name))
	}
	decl, ok := other.types[name]
	if !ok {
		panic(fmt.Sprintf("%s.%s is not declared", importPath, name))
	}
	if _, ok := decl.spec.Type.(*ast.StructType); ok {
		return value{kind: "object", object: schemaName(importPath, name), goType: goType}
	}
	under := r.resolve(other, decl.file, decl.spec.Type)
	if decl.spec.Assign.IsValid() {
		return under
	}
	under.goType = goType
	if _, closed := decl.marker["enum"]; closed && under.kind == "string" {
		under.enum = importPath + "." + name
	}
	return under
}

func (r *resolver) readStruct(p *pkg, decl *typeDecl) *structType {
	s := &structType{schemaName: schemaName(p.path, decl.name), pkg: p, name: decl.name}
	if kinds := decl.marker["structType"]; len(kinds) > 0 {
		s.structType = kinds[0]
	}
	if _, ok := decl.marker["union"]; ok {
		s.union = &union{members: map[string]string{}}
	}
	r.addFields(s, p, decl, nil, nil)
	return s
}

func (r *resolver) addFields(s *structType, p *pkg, decl *typeDecl, embedded []int, embeddedIn []string) {
	for _, astField := range decl.spec.Type.(*ast.StructType).Fields.List {
		t, ok := readTags(astField)
		if !ok {
			continue
		}
		if t.inline {
			expr := astField.Type
			if star, ok := expr.(*ast.StarExpr); ok {
				expr = star.X
			}
			importPath, name := r.lookup(p, decl.file, expr)
			other := r.packages[importPath]
			if name == "TypeMeta" {
				s.isKind = true
			}
			through, throughNames := embedded, embeddedIn
			if name != "TypeMeta" {
				throughNames = append(append([]string{}, embeddedIn...), name)
			}
			if name != "TypeMeta" && t.number > 0 {
				through = append(append([]int{}, embedded...), t.number)
			}
			before := len(s.fields)
			r.addFields(s, other, other.types[name], through, throughNames)
			if name == "TypeMeta" {
				for i := before; i < len(s.fields); i++ {
					s.fields[i].number = 0
				}
			}
			continue
		}
		marker := markers(astField.Doc, astField.Comment)
		f := field{name: t.name, value: r.resolve(p, decl.file, astField.Type), number: t.number, embedded: embedded, embeddedIn: embeddedIn, omitEmpty: t.omitEmpty, omitZero: t.omitZero, mergeKey: t.mergeKey}
		if f.name == "metadata" {
			switch f.value.goType {
			case "v1.ObjectMeta":
				s.metadata = "object"
			case "v1.ListMeta":
				s.metadata = "list"
			}
		}
		if s.union != nil {
			if _, ok := marker["unionDiscriminator"]; ok {
				s.union.discriminator = f.name
			} else {
				s.union.members[f.name] = astField.Names[0].Name
			}
		}
		_, optional := marker["optional"]
		_, required := marker["required"]
		f.required = !t.omitEmpty && !optional || required && !optional
		if t.strategy != "" {
			f.strategies = strings.Split(t.strategy, ",")
		}
		if list := marker["listType"]; len(list) > 0 {
			f.listType = list[0]
		}
		f.mapKeys = marker["listMapKey"]
		if kinds := marker["mapType"]; len(kinds) > 0 {
			f.mapType = kinds[0]
		}
		if structKind := marker["structType"]; len(structKind) > 0 {
			f.mapType = structKind[0]
		}
		if f.value.kind == "object" && f.mapType == "" {
			importPath, name := r.typeOf(p, decl.file, astField.Type)
			if structKind := r.packages[importPath].types[name].marker["structType"]; len(structKind) > 0 {
				f.mapType = structKind[0]
			}
		}
		if list := marker["default"]; len(list) > 0 {
			f.defaultsTo = r.defaultValue(p, list[0])
		}
		s.fields = append(s.fields, f)
	}
}

func (r *resolver) typeOf(p *pkg, file *ast.File, expr ast.Expr) (string, string) {
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	return r.lookup(p, file, expr)
}

func (r *resolver) defaultValue(p *pkg, text string) any {
	if strings.HasPrefix(text, "ref(") {
		name := strings.TrimSuffix(strings.TrimPrefix(text, "ref("), ")")
		if dot := strings.LastIndex(name, "."); dot >= 0 {
			return r.packages[name[:dot]].constants[name[dot+1:]]
		}
		constant, ok := p.constants[name]
		if !ok {
			panic("no constant " + name)
		}
		return constant
	}
	var parsed any
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		panic(fmt.Sprintf("default %s: %v", text, err))
	}
	return parsed
}
