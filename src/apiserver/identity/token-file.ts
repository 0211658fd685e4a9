import { createHash } from 'node:crypto';
import type { Identity } from './identity.ts';

type FileUser = Pick<Identity, 'name' | 'uid' | 'groups'>;

const digest = (token: string) => createHash('sha256').update(token).digest('base64');

/** Tokens of a file of the operator's, good in every tenant that a path names. Source: tokenfile upstream. */
export class FileTokens {
  /** By the token's digest, so that the time a look-up takes tells nothing of a token. */
  readonly #users: ReadonlyMap<string, FileUser>;

  private constructor(users: ReadonlyMap<string, FileUser>) {
    this.#users = users;
  }

  /** Lines of `token,user,uid[,"group1,group2"]`. Throws an Error that names the line. */
  static parse(text: string): FileTokens {
    const users = new Map<string, FileUser>();
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      const cells = cellsOf(line);
      const [token = '', name = '', uid = '', groups = ''] = cells ?? [];
      if (cells === undefined || cells.length < 3) {
        throw new Error(`line ${index + 1} must have at least 3 columns (token, user name, user uid)`);
      }
      if (token === '') throw new Error(`line ${index + 1} has no token`);
      if (users.has(digest(token))) throw new Error(`line ${index + 1} has a token that another line has`);
      users.set(digest(token), {
        name,
        ...(uid !== '' && { uid }),
        groups: groups === '' ? [] : groups.split(',').map((group) => group.trim()),
      });
    }
    return new FileTokens(users);
  }

  authenticate(token: string, tenant: string): Identity | undefined {
    const user = this.#users.get(digest(token));
    if (user === undefined) return undefined;
    return { ...user, groups: [...user.groups, 'system:authenticated'], kind: 'tenant', tenant };
  }
}

/** Cells with commas stand in quotes; a doubled quote is one. */
function cellsOf(line: string): string[] | undefined {
  const cells: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y;
  while (pattern.lastIndex <= line.length) {
    const match = pattern.exec(line);
    if (match === null) return undefined;
    cells.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : match[2]!.trim());
    if (match[3] === '') return cells;
  }
  return undefined;
}
