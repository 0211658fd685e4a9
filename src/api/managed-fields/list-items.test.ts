import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementOfItem } from './list-items.ts';
import type { ListType } from './merge-type.ts';

const ports: ListType = {
  atomic: false,
  keys: ['containerPort', 'protocol'],
  keyDefaults: { protocol: 'TCP' },
  items: {},
};

test('a key that is left out has its default, and one that is null is null', () => {
  assert.equal(elementOfItem(ports, { containerPort: 80 }), 'k:{"containerPort":80,"protocol":"TCP"}');
  assert.equal(elementOfItem(ports, { containerPort: 80, protocol: null }), 'k:{"containerPort":80,"protocol":null}');
  const names: ListType = { ...ports, keys: ['name'], keyDefaults: {} };
  assert.equal(elementOfItem(names, { name: null }), 'k:{"name":null}');
  assert.throws(() => elementOfItem(names, {}), /omits all key fields \["name"\]/);
});
