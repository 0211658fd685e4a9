package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// pkg is what was read from one Go package.
type pkg struct {
	path      string
	group     string
	version   string
	types     map[string]*typeDecl
	order     []string
	constants map[string]string   // constant name -> string value
	enums     map[string][]string // named string type -> values of its constants
	borrowed  []borrowed          // constants that stand for another package's
	imports   map[*ast.File]map[string]string
}

// borrowed is a constant whose value is one of another package.
type borrowed struct {
	name, typeName, importPath, original string
}

type typeDecl struct {
	name   string
	spec   *ast.TypeSpec
	file   *ast.File
	marker map[string][]string
}

func readPackage(importPath, dir string) (*pkg, error) {
	p := &pkg{path: importPath, types: map[string]*typeDecl{}, constants: map[string]string{}, enums: map[string][]string{}, imports: map[*ast.File]map[string]string{}}
	p.version = path.Base(importPath)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "zz_generated") || strings.HasPrefix(name, "generated") || strings.HasPrefix(name, "types_swagger") {
			continue
		}
		file, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		imports := map[string]string{}
		for _, spec := range file.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			local := path.Base(to)
			if spec.Name != nil {
				local = spec.Name.Name
			}
			imports[local] = to
		}
		p.imports[file] = imports
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					doc := spec.Doc
					if doc == nil {
						doc = general.Doc
					}
					p.types[spec.Name.Name] = &typeDecl{spec.Name.Name, spec, file, markers(doc)}
					p.order = append(p.order, spec.Name.Name)
				case *ast.ValueSpec:
					if general.Tok != token.CONST {
						continue
					}
					p.readConstant(spec, imports)
				}
			}
		}
	}
	p.group = p.constants["GroupName"]
	return p, nil
}

func (p *pkg) readConstant(spec *ast.ValueSpec, imports map[string]string) {
	for i, name := range spec.Names {
		if i >= len(spec.Values) {
			continue
		}
		value, typeName := spec.Values[i], ""
		if ident, ok := spec.Type.(*ast.Ident); ok {
			typeName = ident.Name
		}
		if call, ok := value.(*ast.CallExpr); ok && len(call.Args) == 1 {
			if ident, ok := call.Fun.(*ast.Ident); ok {
				typeName, value = ident.Name, call.Args[0]
			}
		}
		if selector, ok := value.(*ast.SelectorExpr); ok {
			if local, ok := selector.X.(*ast.Ident); ok {
				p.borrowed = append(p.borrowed, borrowed{name.Name, typeName, imports[local.Name], selector.Sel.Name})
			}
		}
		literal, ok := value.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			continue
		}
		p.addConstant(name.Name, typeName, text)
	}
}

func (p *pkg) addConstant(name, typeName, text string) {
	p.constants[name] = text
	if typeName != "" && typeName != "string" {
		p.enums[typeName] = append(p.enums[typeName], text)
	}
}

// resolveBorrowed gives constants their values when all packages are read.
func resolveBorrowed(packages map[string]*pkg) {
	for _, p := range packages {
		for _, one := range p.borrowed {
			if other := packages[one.importPath]; other != nil {
				if text, ok := other.constants[one.original]; ok {
					p.addConstant(one.name, one.typeName, text)
				}
			}
		}
	}
}

// markers collects `+name=value` lines; nothing else of a comment is ever kept.
func markers(groups ...*ast.CommentGroup) map[string][]string {
	found := map[string][]string{}
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			line := strings.TrimSpace(strings.TrimPrefix(comment.Text, "//"))
			if !strings.HasPrefix(line, "+") {
				continue
			}
			name, value, _ := strings.Cut(line[1:], "=")
			found[strings.TrimSpace(name)] = append(found[strings.TrimSpace(name)], strings.TrimSpace(value))
		}
	}
	return found
}

type tags struct {
	name      string
	inline    bool
	omitEmpty bool
	omitZero  bool
	number    int
	strategy  string
	mergeKey  string
}

func readTags(field *ast.Field) (tags, bool) {
	var t tags
	if field.Tag == nil {
		return t, false
	}
	text, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return t, false
	}
	tag := reflect.StructTag(text)
	json, ok := tag.Lookup("json")
	if !ok || json == "-" {
		return t, false
	}
	parts := strings.Split(json, ",")
	t.name = parts[0]
	for _, option := range parts[1:] {
		switch option {
		case "inline":
			t.inline = true
		case "omitempty":
			t.omitEmpty = true
		case "omitzero":
			t.omitZero = true
		}
	}
	if t.name == "" {
		t.inline = true
	}
	if protobuf := strings.Split(tag.Get("protobuf"), ","); len(protobuf) > 1 {
		if t.number, err = strconv.Atoi(protobuf[1]); err != nil {
			panic(fmt.Sprintf("protobuf tag %q", tag.Get("protobuf")))
		}
	}
	t.strategy = tag.Get("patchStrategy")
	t.mergeKey = tag.Get("patchMergeKey")
	return t, true
}
