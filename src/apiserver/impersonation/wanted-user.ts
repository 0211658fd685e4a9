import { badRequest } from '../../api/status.ts';

/** Whom a request wants to be taken for, as its headers say it. */
export interface WantedUser {
  name: string;
  uid: string;
  groups: string[];
  extra: Record<string, string[]>;
}

const extraPrefix = 'impersonate-extra-';

/**
 * Source: "User impersonation" in the Kubernetes reference. `rawHeaders` is Node's flat list of names and values: a
 * header may come several times, and joined ones could not be told from a name with a comma in it.
 * @returns undefined when nobody is to be impersonated; throws 400 when anything but a user is named alone.
 */
export function wantedUser(rawHeaders: readonly string[]): WantedUser | undefined {
  const wanted: WantedUser = { name: '', uid: '', groups: [], extra: {} };
  let hasMore = false;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const header = rawHeaders[index]!;
    if (header.length < 15 || !/^impersonate-/i.test(header)) continue;
    const name = header.toLowerCase();
    const value = rawHeaders[index + 1]!;
    if (name === 'impersonate-user') wanted.name ||= value;
    else if (name === 'impersonate-uid') wanted.uid ||= value;
    else if (name === 'impersonate-group') {
      wanted.groups.push(value);
      hasMore = true;
    } else if (name.startsWith(extraPrefix)) {
      const key = decodeKey(name.slice(extraPrefix.length));
      // A key is the asker's word: it must not reach what objects inherit.
      const values = Object.hasOwn(wanted.extra, key) ? wanted.extra[key]! : [];
      Object.defineProperty(wanted.extra, key, {
        value: [...values, value],
        enumerable: true,
        configurable: true,
        writable: true,
      });
      hasMore = true;
    }
  }
  if (wanted.name !== '') return wanted;
  if (!hasMore && wanted.uid === '') return undefined;
  throw badRequest(`requested ${shownByGo(wanted)} without impersonating a user name`);
}

/** The key as it is where its escapes are broken, as upstream. */
function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/** As `%#v` prints it. */
function shownByGo({ name, uid, groups, extra }: WantedUser): string {
  const quoted = (text: string) => JSON.stringify(text);
  const list = (values: string[]) =>
    values.length === 0 ? '[]string(nil)' : `[]string{${values.map(quoted).join(', ')}}`;
  const entries = Object.entries(extra)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, values]) => `${quoted(key)}:${list(values)}`);
  const map = entries.length === 0 ? '(nil)' : `{${entries.join(', ')}}`;
  return `&user.DefaultInfo{Name:${quoted(name)}, UID:${quoted(uid)}, Groups:${list(groups)}, Extra:map[string][]string${map}}`;
}
