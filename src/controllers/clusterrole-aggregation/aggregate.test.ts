import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterRole } from '../../api/generated/rbac-v1.ts';
import { aggregate } from './aggregate.ts';

const role = (name: string, labels: Record<string, string>, more: Partial<ClusterRole>): ClusterRole =>
  ({ metadata: { name, labels }, ...more }) as ClusterRole;
const rule = (resource: string) => ({ verbs: ['get'], apiGroups: [''], resources: [resource] });
const selecting = (label: string) => ({ clusterRoleSelectors: [{ matchLabels: { [label]: 'true' } }] });
const shown = (roles: ClusterRole[]) =>
  roles.map(({ metadata, rules }) => `${metadata.name}: ${rules!.map(({ resources }) => resources!.join()).join(' ')}`);

describe('aggregated cluster roles', () => {
  it('take the rules of their parts by name, each once', () => {
    const roles = [
      role('all', {}, { aggregationRule: selecting('part') }),
      role('b', { part: 'true' }, { rules: [rule('pods'), rule('nodes')] }),
      role('a', { part: 'true' }, { rules: [rule('services'), rule('pods')] }),
      role('other', {}, { rules: [rule('secrets')] }),
    ];
    assert.deepEqual(shown(aggregate(roles)), ['all: services pods nodes']);
  });

  it('reach through one another', () => {
    const roles = [
      role('admin', {}, { aggregationRule: selecting('to-admin') }),
      role('edit', { 'to-admin': 'true' }, { aggregationRule: selecting('to-edit') }),
      role('mine', { 'to-edit': 'true' }, { rules: [rule('widgets')] }),
    ];
    assert.deepEqual(shown(aggregate(roles)).sort(), ['admin: widgets', 'edit: widgets']);
  });

  it('lose what their parts lose, and rest when nothing changes', () => {
    const empty = role('all', {}, { aggregationRule: selecting('part'), rules: [rule('pods')] });
    assert.deepEqual(shown(aggregate([empty])), ['all: ']);
    const settled = role('all', {}, { aggregationRule: selecting('part'), rules: [rule('pods')] });
    assert.deepEqual(aggregate([settled, role('a', { part: 'true' }, { rules: [rule('pods')] })]), []);
  });

  it('end in a ring', () => {
    const ring = ['x', 'y'].map((name) =>
      role(name, { ring: 'true' }, { aggregationRule: selecting('ring'), rules: [rule(name)] }),
    );
    assert.ok(aggregate(ring).length <= 2);
  });
});
