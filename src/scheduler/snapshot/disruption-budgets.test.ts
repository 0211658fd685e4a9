import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violating } from './disruption-budgets.ts';

const budget = (selector: object | undefined, disruptionsAllowed: number, disruptedPods = {}) =>
  ({ metadata: { name: 'b' }, spec: { selector }, status: { disruptionsAllowed, disruptedPods } }) as any;
const pod = (name: string, labels = { app: 'web' } as Record<string, string>, namespace = 'shop') => ({
  name,
  labels,
  namespace,
});
const web = { matchLabels: { app: 'web' } };

function names(pods: ReturnType<typeof pod>[], budgets: Record<string, any[]>): string[] {
  return [...violating(pods, (namespace) => budgets[namespace] ?? [])].map(({ name }) => name);
}

test('a budget lets so many go as it allows, the most important first', () => {
  assert.deepEqual(names([pod('a'), pod('b'), pod('c')], { shop: [budget(web, 1)] }), ['b', 'c']);
  assert.deepEqual(names([pod('a'), pod('b')], { shop: [budget(web, 2), budget(web, 0)] }), ['a', 'b']);
});

test('pods of other namespaces, without labels or of no budget go; an eviction already granted counts once', () => {
  const pods = [pod('a', {}), pod('b', { app: 'db' }), pod('c', { app: 'web' }, 'other'), pod('d'), pod('e')];
  assert.deepEqual(names(pods, { shop: [budget(web, 0, { d: '2026-01-01T00:00:00Z' })] }), ['e']);
});

test('an empty selector protects nobody', () => {
  assert.deepEqual(names([pod('a')], { shop: [budget({}, 0), budget(undefined, 0)] }), []);
});
