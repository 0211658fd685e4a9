import { stringFormatOf } from '../../structural-schema/formats.ts';
import type { Functions } from '../declarations.ts';
import { structOf } from '../types.ts';
import { ArrayList, EntryMap, EvaluationFailure, noSuchOverload, type Opaque } from '../values.ts';

const urlType = structOf('kubernetes.URL');
const isRequestUri = stringFormatOf({ type: 'string', format: 'uri' })!;

/** Taken apart by hand: WHATWG's URLs are not what Go's net/url makes of a text. */
class CelUrl implements Opaque {
  readonly celType = urlType;
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;

  constructor(text: string) {
    this.text = text;
    const [, scheme = '', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)$/s.exec(text.replace(/#.*$/s, ''))!;
    this.scheme = scheme.toLowerCase();
    const mark = rest.indexOf('?');
    this.query = mark < 0 ? '' : rest.slice(mark + 1);
    const place = mark < 0 ? rest : rest.slice(0, mark);
    const authority = /^\/\/([^/]*)/.exec(place);
    this.host = authority === null ? '' : authority[1]!.replace(/^.*@/, '');
    this.path =
      authority === null ? (place.startsWith('/') || scheme === '' ? place : '') : place.slice(authority[0].length);
  }

  get hostname(): string {
    const bracketed = /^\[(.*)\]/.exec(this.host);
    return bracketed?.[1] ?? this.host.replace(/:\d*$/, '');
  }
  get port(): string {
    return /:(\d*)$/.exec(this.host.replace(/^\[.*\]/, ''))?.[1] ?? '';
  }
  equals(other: unknown): boolean {
    if (!(other instanceof CelUrl)) throw noSuchOverload();
    return this.text === other.text;
  }
  toString(): string {
    return this.text;
  }
}

const escapedPath = (path: string) =>
  path.replace(/[^A-Za-z0-9\-._~$&+,/:;=@!'()*[\]%]/gu, (part) => encodeURIComponent(part));

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function queryOf({ query }: CelUrl): EntryMap {
  const values = new Map<string, unknown[]>();
  for (const part of query.split('&')) {
    if (part === '' || part.includes(';')) continue;
    const at = part.indexOf('=');
    const key = unescaped(at < 0 ? part : part.slice(0, at));
    const value = unescaped(at < 0 ? '' : part.slice(at + 1));
    if (key === undefined || value === undefined) continue;
    const list = values.get(key);
    if (list === undefined) values.set(key, [value]);
    else list.push(value);
  }
  return EntryMap.of([...values].map(([key, list]) => [key, new ArrayList(list)]));
}

/** Kubernetes' url library. */
export function addUrls(functions: Functions): void {
  functions.add('isURL', 'is_url_string', '(string) bool', isRequestUri);
  functions.add('url', 'string_to_url', '(string) kubernetes.URL', (text: string) => {
    if (isRequestUri(text)) return new CelUrl(text);
    const port = /^[A-Za-z][\w+.-]*:\/\/[^/?[]*?(:[^/?]*)/.exec(text)?.[1];
    const why =
      text === ''
        ? 'empty url'
        : port === undefined || /^:\d*$/.test(port)
          ? 'invalid URI for request'
          : `invalid port ${JSON.stringify(port)} after host`;
    throw new EvaluationFailure(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: ${why}`);
  });
  const part = (name: string, id: string, read: (url: CelUrl) => string) =>
    functions.member(name, id, '(kubernetes.URL) string', read);
  part('getScheme', 'url_get_scheme', ({ scheme }) => scheme);
  part('getHost', 'url_get_host', ({ host }) => host);
  part('getHostname', 'url_get_hostname', ({ hostname }) => hostname);
  part('getPort', 'url_get_port', ({ port }) => port);
  part('getEscapedPath', 'url_get_escaped_path', ({ path }) => escapedPath(path));
  functions.member('getQuery', 'url_get_query', '(kubernetes.URL) map(string, list(string))', queryOf);
}
