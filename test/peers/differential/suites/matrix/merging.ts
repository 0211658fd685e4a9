import { printPath } from '../../../../../src/apiserver/testing/spoil.ts';
import type { Twin } from '../../twin.ts';
import { JSON_PATCH, MERGE, STRATEGIC } from '../objects.ts';
import { Several } from '../several.ts';
import { chosen, fieldsOf, outcome, type Subject, valueAt } from './subject.ts';

/** Every list and map of an object that is there, patched with each directive that a strategic merge knows. */
export async function merging(twin: Twin, { label, one, object }: Subject): Promise<void> {
  const several = new Several();
  const patch = (what: string, type: string, body: object) =>
    several.start(
      twin.ask(
        `${label} ${what}`,
        { method: 'PATCH', path: `${one}?dryRun=All`, type, body },
        { reduce: outcome, replace: chosen! },
      ),
    );
  for (const steps of fieldsOf(object)) {
    if (steps[0] === 'apiVersion' || steps[0] === 'kind') continue;
    const value = valueAt(object, steps);
    if (typeof value !== 'object' || value === null || steps.includes(0)) continue;
    const where = printPath(steps);
    for (const [what, body] of Array.isArray(value) ? ofList(steps, value) : ofMap(steps, value)) {
      await patch(`${where} ${what}`, STRATEGIC, body);
    }
    const other = Array.isArray(value) ? value.toReversed() : value;
    await patch(`${where} merged`, MERGE, at(steps, other));
    await patch(`${where} merged away`, MERGE, at(steps, null));
    const pointer = `/${steps.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;
    await patch(`${where} taken away`, JSON_PATCH, [{ op: 'remove', path: pointer }]);
    await patch(`${where} tested`, JSON_PATCH, [{ op: 'test', path: pointer, value }]);
  }
  await several.end();
}

/** A patch that holds only `value`, where `steps` lead. */
function at(steps: (string | number)[], value: unknown, beside: Record<string, unknown> = {}): object {
  const [last, ...rest] = steps.toReversed();
  let made: object = { [last!]: value, ...beside };
  for (const step of rest) made = { [step]: made };
  return made;
}

function ofMap(steps: (string | number)[], value: Record<string, unknown>): [string, object][] {
  const first = Object.keys(value)[0];
  return [
    ['replaced', at(steps, { $patch: 'replace', ...value })],
    ['replaced by nothing', at(steps, { $patch: 'replace' })],
    ['deleted', at(steps, { $patch: 'delete' })],
    ['merged by word', at(steps, { $patch: 'merge', ...value })],
    ['with another directive', at(steps, { $patch: 'other' })],
    ['retaining one key', at(steps, { $retainKeys: [first], ...(first && { [first]: value[first] }) })],
    ['retaining what is not there', at(steps, { $retainKeys: ['none'], ...value })],
    ['nulled', at(steps, null)],
    ['as a list', at(steps, [])],
  ];
}

function ofList(steps: (string | number)[], value: unknown[]): [string, object][] {
  const name = steps.at(-1)!;
  const first = value[0];
  const cases: [string, object][] = [
    ['reversed', at(steps, value.toReversed())],
    ['emptied', at(steps, [])],
    ['nulled', at(steps, null)],
    ['doubled', at(steps, [...value, ...value])],
    ['as a map', at(steps, {})],
    ['of null', at(steps, [null])],
    ['ordered only', at(steps, undefined, { [`$setElementOrder/${name}`]: value })],
    ['ordered and given', at(steps, value, { [`$setElementOrder/${name}`]: value.toReversed() })],
  ];
  if (typeof first === 'object' && first !== null) {
    cases.push(
      ['first deleted', at(steps, [{ ...first, $patch: 'delete' }])],
      ['first replaced', at(steps, [{ ...first, $patch: 'replace' }])],
      ['all replaced', at(steps, [{ $patch: 'replace' }, first])],
      ['all replaced by nothing', at(steps, [{ $patch: 'replace' }])],
      ['empty member', at(steps, [{}])],
      ['text member', at(steps, ['x'])],
    );
  } else {
    cases.push(
      ['one more', at(steps, ['one-more'])],
      ['one deleted', at(steps, undefined, { [`$deleteFromPrimitiveList/${name}`]: [first] })],
      ['map member', at(steps, [{ a: 'b' }])],
    );
  }
  return cases;
}
