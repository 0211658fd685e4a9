// Reads the Go source of k8s.io/api at the version pinned in go.mod and writes facts (kinds, fields, names, numbers,
// defaults, list types, merge keys) into src/api/generated. No documentation is copied.
//
//	cd scripts/generate-api && go mod download && go run . ../../src/api/generated
package main

import (
	"encoding/json"
	"go/ast"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: generate-api OUTPUT_DIRECTORY")
	}
	r := &resolver{packages: map[string]*pkg{}, structs: map[string]*structType{}}
	roots := moduleRoots()
	for _, importPath := range apiPackages {
		dir := ""
		for module, root := range roots {
			if strings.HasPrefix(importPath, module+"/") {
				dir = filepath.Join(root, strings.TrimPrefix(importPath, module+"/"))
			}
		}
		p, err := readPackage(importPath, dir)
		if err != nil {
			log.Fatal(err)
		}
		if importPath == apiPackages[0] {
			p.group = "meta.k8s.io"
		}
		if p.group == "" && importPath != "k8s.io/api/core/v1" {
			// apiextensions and apiregistration keep GroupName as the others do; anything else is a change upstream.
			log.Fatalf("%s declares no GroupName", importPath)
		}
		r.packages[importPath] = p
	}
	resolveBorrowed(r.packages)
	for _, importPath := range apiPackages {
		p := r.packages[importPath]
		for _, name := range p.order {
			decl := p.types[name]
			if _, ok := decl.spec.Type.(*ast.StructType); !ok || !ast.IsExported(name) || decl.spec.TypeParams != nil {
				continue
			}
			if _, ok := special[importPath+"."+name]; ok {
				continue
			}
			s := r.readStruct(p, decl)
			r.structs[s.schemaName] = s
			r.order = append(r.order, s.schemaName)
		}
	}
	if err := writeTable(r, filepath.Join(os.Args[1], "schema.json")); err != nil {
		log.Fatal(err)
	}
	discovery := filepath.Join(roots["k8s.io/kubernetes"], "api", "discovery")
	if err := writeResources(r, discovery, filepath.Join(os.Args[1], "resources.json")); err != nil {
		log.Fatal(err)
	}
	for _, importPath := range apiPackages {
		if err := writeInterfaces(r, r.packages[importPath], os.Args[1]); err != nil {
			log.Fatal(err)
		}
	}
}

func moduleRoots() map[string]string {
	roots := map[string]string{}
	for _, module := range []string{"k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver", "k8s.io/kube-aggregator", "k8s.io/kubernetes"} {
		out, err := exec.Command("go", "mod", "download", "-json", module).Output()
		if err != nil {
			log.Fatalf("go mod download %s: %v", module, err)
		}
		var answer struct{ Dir string }
		if err := json.Unmarshal(out, &answer); err != nil {
			log.Fatal(err)
		}
		roots[module] = answer.Dir
	}
	return roots
}
