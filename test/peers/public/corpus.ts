import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { filesOf, moduleDirectory } from './modules.ts';

/** Published Go modules whose zips hold definitions and examples of their objects. */
const modules = [
  'github.com/argoproj/argo-cd/v3@v3.2.0',
  'github.com/argoproj/argo-workflows/v3@v3.7.0',
  'github.com/cert-manager/cert-manager@v1.20.0',
  'github.com/cilium/cilium@v1.18.0',
  'github.com/crossplane/crossplane/v2@v2.1.0',
  'github.com/fluxcd/source-controller@v1.7.0',
  'github.com/external-secrets/external-secrets@v0.20.4',
  'github.com/fluxcd/helm-controller@v1.4.0',
  'github.com/kedacore/keda/v2@v2.18.0',
  'github.com/kyverno/kyverno@v1.19.0',
  'github.com/kubernetes-csi/external-snapshotter/v8@v8.7.0',
  'github.com/prometheus-operator/prometheus-operator@v0.85.0',
  'github.com/tektoncd/pipeline@v1.6.0',
  'github.com/traefik/traefik/v3@v3.6.0',
  'istio.io/api@v1.28.0',
  // One object of each kind and version with a value in every field, and the manifests of Kubernetes' own tests.
  'k8s.io/api@v0.36.0',
  'k8s.io/kubernetes@v1.36.0',
  'knative.dev/eventing@v0.47.0',
  'knative.dev/serving@v0.47.0',
  'sigs.k8s.io/cluster-api@v1.11.0',
  'sigs.k8s.io/gateway-api@v1.4.0',
  'sigs.k8s.io/karpenter@v1.8.0',
  'sigs.k8s.io/kueue@v0.14.0',
];

export interface Published {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; generateName?: string; namespace?: string; [field: string]: unknown };
  [field: string]: unknown;
}

export interface Corpus {
  definitions: Published[];
  /** Every other object found, each once, with the file it is of. */
  objects: { object: Published; from: string }[];
  /** Modules that could not be had, and why. */
  missing: string[];
}

/** All manifests of the modules, read out of Go's module cache; what is not there is downloaded through its proxy. */
export function readCorpus(only?: RegExp): Corpus {
  const definitions = new Map<string, Published>();
  const objects = new Map<string, { object: Published; from: string }>();
  const missing: string[] = [];
  for (const module of modules) {
    if (only !== undefined && !only.test(module)) continue;
    const directory = moduleDirectory(module);
    if (directory instanceof Error) {
      missing.push(`${module}: ${directory.message}`);
      continue;
    }
    for (const path of filesOf(directory)) {
      // What earlier versions wrote of the same objects.
      if (/\/testdata\/v1\.\d+\.0\//.test(path)) continue;
      const text = readFileSync(path, 'utf8');
      if (!text.includes('apiVersion') || text.includes('{{')) continue;
      for (const document of documents(text)) {
        if (document.kind !== 'CustomResourceDefinition') {
          objects.set(JSON.stringify(document), { object: document, from: path.slice(directory.length + 1) });
        } else if (document.apiVersion === 'apiextensions.k8s.io/v1' && document.metadata.name !== undefined) {
          // The same definition lies in several folders, some cut down: the longest is the whole.
          const known = definitions.get(document.metadata.name);
          if (known === undefined || JSON.stringify(known).length < JSON.stringify(document).length) {
            definitions.set(document.metadata.name, document);
          }
        }
      }
    }
  }
  return { definitions: [...definitions.values()], objects: [...objects.values()], missing };
}

function documents(text: string): Published[] {
  try {
    const parsed = parseAllDocuments(text, { merge: true });
    if (!Array.isArray(parsed)) return [];
    return parsed
      .filter(({ errors }) => errors.length === 0)
      .map((document) => document.toJS() as Published)
      .filter(isObject);
  } catch {
    return [];
  }
}

const isObject = (value: Published | null): boolean =>
  typeof value === 'object' &&
  typeof value?.apiVersion === 'string' &&
  typeof value.kind === 'string' &&
  typeof value.metadata === 'object' &&
  value.metadata !== null;
