import type { Twin } from '../../twin.ts';
import { Several } from '../several.ts';

/** Selectors of labels and fields, good and bad. */
export async function selectors(twin: Twin, maps: string): Promise<void> {
  const several = new Several();
  for (const selector of [
    'app=even',
    'app==even',
    'app!=even',
    'app in (even,odd)',
    'app notin (odd)',
    'app',
    '!app',
    'app=even,name=a',
    'name>1',
    'name<1',
    'name in (a,b',
    'app in ()',
    'app=',
    '=a',
    'app=even,',
    ',',
    '!',
    'a b',
    'app===x',
    'x/y/z=a',
    '-a=b',
    'a=b!',
    'app notin',
    'a>b',
    'a in (b,c),d',
    '()',
    'a=(b)',
    'app in (,)',
    'app in (a,,b)',
    'app=-',
    `${'a'.repeat(64)}=b`,
    `a=${'b'.repeat(64)}`,
    'EXAMPLE.com/a=b',
    'not in (a)',
    'in in (in)',
    'notin',
    'app!',
    'app ! = b',
  ]) {
    await several.start(
      twin.ask(
        `labels ${selector}`,
        { path: `${maps}?labelSelector=${encodeURIComponent(selector)}` },
        { reduce: ({ json, text }) => json?.items?.map((one: any) => one.metadata.name) ?? json ?? text },
      ),
    );
    await several.start(
      twin.ask(
        `watch labels ${selector}`,
        { path: `${maps}?watch=1&timeoutSeconds=1&resourceVersion=0&labelSelector=${encodeURIComponent(selector)}` },
        { reduce: ({ text }) => text.split('\n').length },
      ),
    );
  }
  for (const selector of [
    'metadata.name=a',
    'metadata.name!=a',
    'metadata.name==a',
    'metadata.name=a,metadata.name=b',
    'metadata.namespace=x',
    'data.a=1',
    'metadata.name',
    'metadata.name in (a)',
    'metadata.name=a\\',
    'metadata.name=a\\,b',
    ',',
    '=',
    'metadata.name=',
    'spec.nodeName=',
    'metadata.labels=x',
    'metadata.name=a=b',
    '!metadata.name',
    'metadata.name>a',
  ]) {
    const encoded = encodeURIComponent(selector);
    await several.start(
      twin.ask(
        `fields ${selector}`,
        { path: `${maps}?fieldSelector=${encoded}` },
        { reduce: ({ json, text }) => json?.items?.map((one: any) => one.metadata.name) ?? json ?? text },
      ),
    );
    await several.start(
      twin.ask(
        `fields ${selector} everywhere`,
        { path: `/api/v1/configmaps?fieldSelector=${encoded}&limit=1` },
        { reduce: ({ json }) => (json?.kind === 'Status' ? json : json?.items.length >= 0) },
      ),
    );
    await several.start(
      twin.ask(
        `watch fields ${selector}`,
        { path: `${maps}?watch=1&timeoutSeconds=1&fieldSelector=${encoded}` },
        { bodyIgnored: true },
      ),
    );
    await several.start(
      twin.ask(
        `fields ${selector} deleted`,
        { method: 'DELETE', path: `${maps}?dryRun=All&fieldSelector=${encoded}` },
        { reduce: ({ json, text }) => json?.items?.map((one: any) => one.metadata.name) ?? json ?? text },
      ),
    );
  }
  await several.end();
}
