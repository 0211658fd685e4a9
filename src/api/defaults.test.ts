import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments, stringify } from 'yaml';
import { decodeObject } from './decode/decode.ts';
import { applyDefaults } from './defaults.ts';
import type { KubeObject } from './object.ts';
import { parseApiVersion } from './object.ts';
import { builtinResources } from './resources/index.ts';

// Golden pairs: what is written, and what `kubectl get -o yaml` shows of it. UPDATE_GOLDEN=1 writes the second.
const testdata = new URL('./defaults/testdata/', import.meta.url);

for (const file of readdirSync(testdata)) {
  test(`defaults of ${file}`, () => {
    const path = new URL(file, testdata);
    const [input, expected] = parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS());
    const { group, version } = parseApiVersion(input.apiVersion);
    const definition = builtinResources.find(
      (one) => one.group === group && one.version === version && one.kind === input.kind,
    )!;
    const { object, errors, unknownFields } = decodeObject<KubeObject>(definition, input, { strict: true });
    assert.deepEqual([errors, unknownFields], [[], []]);
    applyDefaults(definition, object);
    if (process.env['UPDATE_GOLDEN'] === '1') {
      writeFileSync(path, `${stringify(input)}---\n${stringify(object, { sortMapEntries: true })}`);
      return;
    }
    assert.deepEqual(object, expected);
    assert.deepEqual(applyDefaults(definition, structuredClone(object)), object, 'twice is as once');
  });
}
