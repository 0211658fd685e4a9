import { printPath } from '../../../../../src/apiserver/testing/spoil.ts';
import type { Twin } from '../../twin.ts';
import { APPLY } from '../objects.ts';
import { Several } from '../several.ts';
import { chosen, fieldsOf, outcome, removed, type Subject, valueAt, withValue } from './subject.ts';

/** Server-side apply: made by one, then wanted otherwise by another, field by field. */
export async function applying(twin: Twin, { label, one, object }: Subject): Promise<void> {
  const apply = (what: string, body: object, query: string, to = one) =>
    twin.ask(
      `${label} applied ${what}`,
      { method: 'PATCH', path: `${to}?${query}`, type: APPLY, body },
      { reduce: outcome, replace: chosen! },
    );
  const { status, ...wanted } = object;
  const least = { apiVersion: object.apiVersion, kind: object.kind, metadata: { name: object.metadata.name } };
  const made = await apply('as new', wanted, 'fieldManager=one');
  if (made.kubernetes.status !== 201 || made.skypod.status !== 201) {
    await removed(twin, one);
    return;
  }
  await apply('again', wanted, 'fieldManager=one');
  await apply('by another who agrees', wanted, 'fieldManager=two&dryRun=All');
  await apply('without anything', least, 'fieldManager=one&dryRun=All');
  await apply('with all changed', changed(wanted, true), 'fieldManager=two&dryRun=All');
  await apply('with all changed by force', changed(wanted, false), 'fieldManager=two&force=true&dryRun=All');
  if (status !== undefined) {
    const ofStatus = { ...least, status };
    await apply('to its status', ofStatus, 'fieldManager=one', `${one}/status`);
    await apply('to its status by another', changed(ofStatus, true), 'fieldManager=two&dryRun=All', `${one}/status`);
    await apply('to its status and more', { ...wanted, status }, 'fieldManager=two&dryRun=All', `${one}/status`);
    await apply('with a status', { ...wanted, status: changed(status, true) }, 'fieldManager=two&dryRun=All');
  }
  const several = new Several();
  for (const steps of fieldsOf(wanted)) {
    if (['apiVersion', 'kind'].includes(String(steps[0])) || printPath(steps) === 'metadata.name') continue;
    const value = valueAt(wanted, steps);
    const where = printPath(steps);
    const without = withValue(wanted, steps, undefined);
    await several.start(apply(`without ${where}`, without, 'fieldManager=one&dryRun=All'));
    if (Array.isArray(value)) {
      const doubled = withValue(wanted, steps, [...value, ...value]);
      await several.start(apply(`with ${where} doubled`, doubled, 'fieldManager=one&dryRun=All'));
      const reversed = withValue(wanted, steps, value.toReversed());
      await several.start(apply(`with ${where} reversed`, reversed, 'fieldManager=two&force=true&dryRun=All'));
    }
    const nulled = withValue(wanted, steps, null);
    await several.start(apply(`with ${where} null`, nulled, 'fieldManager=two&force=true&dryRun=All'));
  }
  await several.end();
  await removed(twin, one);
}

/** Another value in every leaf, but for what names an object or a member of a list; texts only when `hard`. */
function changed(value: any, hard: boolean, name = ''): any {
  if (Array.isArray(value)) return value.map((one) => changed(one, hard, name));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, changed(one, hard, key)]));
  if (['apiVersion', 'kind', 'name', 'namespace', 'type', 'key', 'uid'].includes(name)) return value;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  return typeof value === 'string' && hard ? `${value}x` : value;
}
