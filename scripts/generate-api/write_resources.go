package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Kubernetes records the discovery documents of its own API server in the repository: names, kinds, verbs, short names
// and categories of each resource are read from there.
type apiResource struct {
	Name         string   `json:"name"`
	SingularName string   `json:"singularName"`
	Kind         string   `json:"kind"`
	Group        string   `json:"group"`
	Version      string   `json:"version"`
	Namespaced   bool     `json:"namespaced"`
	ShortNames   []string `json:"shortNames"`
	Categories   []string `json:"categories"`
	Verbs        []string `json:"verbs"`
}

type subresourceRow struct {
	Name  string      `json:"name"`
	Kind  *kindColumn `json:"kind,omitempty"`
	Verbs []string    `json:"verbs"`
}

type kindColumn struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

type resourceRow struct {
	Group        string           `json:"group"`
	Version      string           `json:"version"`
	Resource     string           `json:"resource"`
	Singular     string           `json:"singular"`
	Kind         string           `json:"kind"`
	Namespaced   bool             `json:"namespaced"`
	ShortNames   []string         `json:"shortNames"`
	Categories   []string         `json:"categories"`
	Verbs        []string         `json:"verbs"`
	Subresources []subresourceRow `json:"subresources"`
}

func writeResources(r *resolver, discovery, to string) error {
	files, err := filepath.Glob(filepath.Join(discovery, "api*__v*.json"))
	if err != nil {
		return err
	}
	sort.Strings(files)
	known := map[string]bool{}
	for _, importPath := range apiPackages {
		p := r.packages[importPath]
		known[strings.TrimPrefix(p.group+"/"+p.version, "/")] = true
	}
	rows := []*resourceRow{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var list struct {
			GroupVersion string        `json:"groupVersion"`
			Resources    []apiResource `json:"resources"`
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
		if !known[list.GroupVersion] {
			continue
		}
		group, version, found := strings.Cut(list.GroupVersion, "/")
		if !found {
			group, version = "", list.GroupVersion
		}
		byName := map[string]*resourceRow{}
		// Subresources are listed beside their resources; resources first.
		sort.SliceStable(list.Resources, func(i, j int) bool {
			return !strings.Contains(list.Resources[i].Name, "/") && strings.Contains(list.Resources[j].Name, "/")
		})
		for _, resource := range list.Resources {
			parent, sub, isSub := strings.Cut(resource.Name, "/")
			if !isSub {
				row := &resourceRow{group, version, resource.Name, resource.SingularName, resource.Kind, resource.Namespaced, orEmpty(resource.ShortNames), orEmpty(resource.Categories), orEmpty(resource.Verbs), []subresourceRow{}}
				byName[resource.Name] = row
				rows = append(rows, row)
				continue
			}
			row := byName[parent]
			entry := subresourceRow{Name: sub, Verbs: orEmpty(resource.Verbs)}
			if resource.Kind != row.Kind || resource.Group != "" {
				entry.Kind = &kindColumn{resource.Group, resource.Version, resource.Kind}
				if resource.Version == "" {
					entry.Kind.Group, entry.Kind.Version = group, version
				}
			}
			row.Subresources = append(row.Subresources, entry)
		}
	}
	var out bytes.Buffer
	out.WriteString("[\n")
	for i, row := range rows {
		text, err := json.Marshal(row)
		if err != nil {
			return err
		}
		out.Write(text)
		if i < len(rows)-1 {
			out.WriteString(",")
		}
		out.WriteString("\n")
	}
	out.WriteString("]\n")
	return os.WriteFile(to, out.Bytes(), 0o644)
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
