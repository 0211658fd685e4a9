import type { Functions } from '../declarations.ts';

/** What mutations need besides: `jsonpatch.escapeKey('a/b')` is `a~1b`. */
export function addJsonPatches(functions: Functions): void {
  functions.add('jsonpatch.escapeKey', 'string_jsonpatch_escapeKey_string', '(string) string', (key: string) =>
    key.replaceAll('~', '~0').replaceAll('/', '~1'),
  );
}
