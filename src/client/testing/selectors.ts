import type { KubeObject } from '../../api/object.ts';

/** Equality selectors (`a=b,c!=d,e,!f`) and field selectors (`spec.nodeName=x`): as much as the components' tests ask. */
export function matchesSelectors(object: KubeObject, query: Record<string, string>): boolean {
  const labels = object.metadata.labels ?? {};
  const byLabel = terms(query['labelSelector']).every((term) => holds(term, (name) => labels[name]));
  return byLabel && terms(query['fieldSelector']).every((term) => holds(term, (path) => fieldAt(object, path) ?? ''));
}

function terms(selector: string | undefined): string[] {
  return selector === undefined || selector === '' ? [] : selector.split(',');
}

function holds(term: string, read: (name: string) => string | undefined): boolean {
  const parts = /^([^!=]+)(==|=|!=)(.*)$/.exec(term);
  if (parts === null) return term.startsWith('!') ? read(term.slice(1)) === undefined : read(term) !== undefined;
  const [, name, operator, value] = parts;
  return (read(name!) === value) === (operator !== '!=');
}

function fieldAt(object: KubeObject, path: string): string | undefined {
  let value: any = object;
  for (const part of path.split('.')) value = value?.[part];
  return value === undefined ? undefined : String(value);
}
