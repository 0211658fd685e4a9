import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments, stringify } from 'yaml';
import type { CustomResourceDefinition } from '../../generated/apiextensions-v1.ts';
import { validateDefinition } from './validate.ts';

interface Case {
  title: string;
  /** Over a sound definition's spec. */
  spec?: object;
  /** The schema's `spec` property. */
  schema?: object;
  /** Over the one version. */
  version?: object;
  expected?: string[];
}

const path = new URL('./testdata/definitions.yaml', import.meta.url);

function definitionOf({ spec, schema, version }: Case): CustomResourceDefinition {
  const properties = { spec: schema ?? { type: 'object' } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'foos.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'foos', singular: 'foo', kind: 'Foo', listKind: 'FooList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties } },
          ...version,
        },
      ],
      ...spec,
    },
    status: { storedVersions: ['v1'], acceptedNames: { plural: '', kind: '' }, conditions: [] },
  } as unknown as CustomResourceDefinition;
}

const found = (given: Case) =>
  validateDefinition(definitionOf(given)).map(({ field, message }) => `${field}: ${message}`);

test('findings in definitions are those of the golden file', () => {
  const documents = parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS() as Case);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    const updated = documents.map((given) => stringify({ ...given, expected: found(given) }, { lineWidth: 0 }));
    writeFileSync(path, updated.join('---\n'));
    return;
  }
  assert.ok(documents.length > 20);
  for (const given of documents) assert.deepEqual(found(given), given.expected, given.title);
});
