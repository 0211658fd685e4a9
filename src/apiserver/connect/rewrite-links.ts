import { Transform } from 'node:stream';

/**
 * Rewrites the links of a proxied page so that they lead through the proxy again.
 * Source: apimachinery's pkg/util/proxy/transport.go; the attributes are HTML's own that hold URLs.
 */
const urlAttributes: Record<string, readonly string[]> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

export interface LinkRewriting {
  /** `/api/v1/namespaces/default/services/web/proxy`: what stands before the page's own paths. */
  prefix: string;
  /** Host names by which the page may call itself: the server's own address, and what the client asked for. */
  sourceHost?: string;
  requestHost?: string;
}

const urlParts = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/is;

/** One URL, rewritten when it names the page's own host by a path from the root; any other is given back as it is. */
export function rewriteUrl(url: string, { prefix, sourceHost, requestHost }: LinkRewriting): string {
  const parsed = urlParts.exec(url);
  if (parsed === null) return url;
  const [, scheme = '', host = '', path = '', query = '', fragment = ''] = parsed;
  const isOtherHost = host !== '' && host !== sourceHost && host !== requestHost;
  if (isOtherHost || !path.startsWith('/')) return url;
  // The client's own name for us may stay; the server's means nothing to it.
  const authority = host !== '' && host === requestHost ? `${scheme === '' ? '' : `${scheme}:`}//${host}` : '';
  if (path.startsWith(prefix)) return `${authority}${path}${query}${fragment}`;
  return `${authority}${joinPaths(prefix, path)}${query}${fragment}`;
}

/** Go's path.Join, with the trailing slash kept. */
export function joinPaths(...paths: string[]): string {
  const parts: string[] = [];
  for (const part of paths.join('/').split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const joined = `/${parts.join('/')}`;
  return paths.at(-1)!.endsWith('/') && joined !== '/' ? `${joined}/` : joined;
}

const attributePattern = /([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'=<>`]+)/g;

/** A start tag with its links rewritten. */
function rewriteTag(tag: string, rewriting: LinkRewriting): string {
  const name = /^<([a-z][a-z0-9]*)/i.exec(tag)?.[1];
  const attributes = name === undefined ? undefined : urlAttributes[name.toLowerCase()];
  if (attributes === undefined) return tag;
  return tag.replace(attributePattern, (whole, attribute: string, equals: string, quoted: string) => {
    if (!attributes.includes(attribute.toLowerCase())) return whole;
    const quote = quoted[0] === '"' || quoted[0] === "'" ? quoted[0] : '';
    const value = quote === '' ? quoted : quoted.slice(1, -1);
    const rewritten = rewriteUrl(value.replaceAll('&amp;', '&'), rewriting).replaceAll('&', '&amp;');
    return rewritten === value.replaceAll('&amp;', '&').replaceAll('&', '&amp;')
      ? whole
      : `${attribute}${equals}${quote || '"'}${rewritten}${quote || '"'}`;
  });
}

/** A tag longer than this is passed on as it is: memory per request is bounded. */
const tagLimit = 64 * 1024;
/** What stands in these is no markup. */
const rawTextElements = new Set(['script', 'style', 'textarea', 'title', 'xmp', 'iframe', 'noembed', 'noframes']);

/** Rewrites the links of an HTML stream as it passes. Bytes are read as Latin-1, so any ASCII-like encoding survives. */
export function linkRewriter(rewriting: LinkRewriting): Transform {
  let pending = '';
  /** The element whose end is looked for. */
  let rawText: string | undefined;

  const take = (isLast: boolean): string => {
    let out = '';
    let at = 0;
    while (at < pending.length) {
      if (rawText !== undefined) {
        const end = pending.toLowerCase().indexOf(`</${rawText}`, at);
        if (end < 0) {
          // The end tag may be cut in two.
          const keep = isLast ? 0 : Math.min(rawText.length + 1, pending.length - at);
          out += pending.slice(at, pending.length - keep);
          at = pending.length - keep;
          break;
        }
        out += pending.slice(at, end);
        at = end;
        rawText = undefined;
        continue;
      }
      const start = pending.indexOf('<', at);
      if (start < 0) {
        out += pending.slice(at);
        at = pending.length;
        break;
      }
      out += pending.slice(at, start);
      at = start;
      const end = endOfTag(pending, start);
      if (end < 0) {
        if (!isLast && pending.length - start <= tagLimit) break;
        out += pending.slice(start);
        at = pending.length;
        break;
      }
      const tag = pending.slice(start, end);
      out += rewriteTag(tag, rewriting);
      at = end;
      const name = /^<([a-z][a-z0-9]*)/i.exec(tag)?.[1]?.toLowerCase();
      if (name !== undefined && rawTextElements.has(name) && !tag.endsWith('/>')) rawText = name;
    }
    pending = pending.slice(at);
    return out;
  };

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      pending += chunk.toString('latin1');
      done(null, Buffer.from(take(false), 'latin1'));
    },
    flush(done) {
      done(null, Buffer.from(take(true), 'latin1'));
    },
  });
}

/** Where the tag or comment that starts at `start` ends; -1 when not yet. */
function endOfTag(text: string, start: number): number {
  if (text.startsWith('<!--', start)) {
    const end = text.indexOf('-->', start + 4);
    return end < 0 ? -1 : end + 3;
  }
  if (text.length - start < 4 && '<!--'.startsWith(text.slice(start))) return -1;
  // A lone less-than sign is text.
  if (!/[a-z/!?]/i.test(text[start + 1] ?? ' ')) return start + 1;
  let quote = '';
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at]!;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '>') return at + 1;
    else if ((character === '"' || character === "'") && /[\s=]/.test(text[at - 1]!)) quote = character;
  }
  return -1;
}
