import type { Ask } from '../../client.ts';
import type { Twin } from '../../twin.ts';
import { eventLine } from '../event-line.ts';
import { Several } from '../several.ts';

/** Revisions and how they are to be matched. */
export async function revisions(twin: Twin, maps: string): Promise<void> {
  const versions: [string, (notes: Record<string, any>) => string][] = [
    ['none', () => ''],
    ['0', () => '0'],
    ['of c', (notes) => notes['c']],
    ['1', () => '1'],
    ['far ahead', () => '99999999'],
    ['word', () => 'abc'],
    ['negative', () => '-1'],
    ['decimal', () => '1.5'],
    ['padded', () => '00'],
    ['huge', () => '99999999999999999999999'],
  ];
  const several = new Several();
  for (const [what, pick] of versions) {
    for (const match of ['', 'Exact', 'NotOlderThan', 'Other']) {
      for (const more of [
        '',
        '&limit=2',
        '&limit=2&continue=abc',
        '&watch=1&timeoutSeconds=1',
        '&watch=1&timeoutSeconds=1&sendInitialEvents=true',
        '&watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true',
        '&watch=1&timeoutSeconds=1&sendInitialEvents=false',
        '&sendInitialEvents=true',
      ]) {
        const ask = (side: { notes: Record<string, any> }): Ask => {
          const version = pick(side.notes);
          return {
            path: `${maps}?${version === '' ? '' : `resourceVersion=${version}&`}${match === '' ? '' : `resourceVersionMatch=${match}`}${more}`,
          };
        };
        const lines = {
          reduce: ({ json, text }: any) =>
            json?.items?.map((one: any) => one.metadata.name) ?? json ?? text.split('\n').map(eventLine),
        };
        await several.start(twin.ask(`list at ${what} match ${match || 'none'} ${more}`, ask, lines));
      }
    }
    await several.start(
      twin.ask(`get at ${what}`, (side) => ({ path: `${maps}/a?resourceVersion=${pick(side.notes)}` })),
    );
    await several.start(
      twin.ask(
        `delete collection at ${what}`,
        (side) => ({ method: 'DELETE', path: `${maps}?dryRun=All&resourceVersion=${pick(side.notes)}` }),
        { reduce: ({ json }) => (json.kind === 'Status' ? json : json.kind) },
      ),
    );
  }
  await several.end();
}
