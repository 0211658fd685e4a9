import { type Readable, Transform } from 'node:stream';

/** Manifests are smaller; what is longer and begins as JSON is none that a registry would take. */
const longestManifest = 8 * 1024 * 1024;

/** What must not reach containerd. */
export class ManifestRefused extends Error {}

const elsewhere = /"urls"\s*:\s*\[\s*"/iu;

/**
 * Whether a manifest's layers are to be had elsewhere, at URLs that containerd would ask by itself, past the gateway.
 * Looks at the text: names may be written with escapes, in capitals and twice, and Go reads them all.
 */
export function leadsElsewhere(text: string): boolean {
  const plain = text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  return elsewhere.test(plain);
}

function isDocument(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Lets blobs through as they come, and holds back what looks like JSON until it is all there and was looked at: a
 * manifest may come as a blob too.
 */
export function inspected(body: Readable): Readable {
  let held: Buffer[] | undefined = [];
  let length = 0;
  const looksLikeJson = (bytes: Buffer): boolean | undefined => {
    for (const byte of bytes) {
      if (byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) continue;
      return byte === 0x7b;
    }
    return undefined;
  };
  let isJson: boolean | undefined;
  const inspector = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (held === undefined) return done(null, chunk);
      isJson ??= looksLikeJson(chunk);
      held.push(chunk);
      length += chunk.length;
      if (isJson === false) {
        const all = Buffer.concat(held);
        held = undefined;
        return done(null, all);
      }
      if (length > longestManifest) return done(new ManifestRefused('the manifest is too long'));
      return done();
    },
    flush(done) {
      if (held === undefined) return done();
      const all = Buffer.concat(held);
      const text = all.toString();
      // Half a document would be put together with what comes when it is asked for again, and was not looked at whole.
      if (length > 0 && !isDocument(text)) return done(new ManifestRefused('half a manifest is not taken'));
      if (leadsElsewhere(text)) {
        return done(new ManifestRefused('layers that are to be had at other URLs (foreign layers) are not taken'));
      }
      return done(null, all);
    },
  });
  body.on('error', (error) => inspector.destroy(error));
  return body.pipe(inspector);
}
