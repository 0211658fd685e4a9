/** What stands between `-----BEGIN X-----` and the first `-----END X-----` after it. */
export interface PemBlock {
  /** X */
  type: string;
  content: string;
  /** With both lines. */
  text: string;
}

const marker = /-----(BEGIN|END) ([^\n-]*)-----/g;

interface Begun {
  type: string;
  start: number;
  end: number;
}

/**
 * The blocks of a text, one after the other. What begins and never ends is passed over; in one go, however often it
 * begins: the text may be a tenant's.
 */
export function* pemBlocks(text: string): Generator<PemBlock> {
  const begun: Begun[] = [];
  /** Of each type, where it ends, with how many of them lie behind. */
  const ends = new Map<string, { at: number[]; passed: number }>();
  for (const { 0: whole, 1: word, 2: type = '', index } of text.matchAll(marker)) {
    if (word === 'BEGIN') begun.push({ type, start: index, end: index + whole.length });
    else {
      const known = ends.get(type);
      if (known === undefined) ends.set(type, { at: [index], passed: 0 });
      else known.at.push(index);
    }
  }
  let behind = 0;
  for (const { type, start, end } of begun) {
    const known = ends.get(type);
    if (start < behind || known === undefined) continue;
    while (known.passed < known.at.length && known.at[known.passed]! < end) known.passed++;
    const stop = known.at[known.passed];
    if (stop === undefined) continue;
    behind = stop + `-----END ${type}-----`.length;
    yield { type, content: text.slice(end, stop), text: text.slice(start, behind) };
  }
}

export function firstPemBlock(text: string): PemBlock | undefined {
  for (const block of pemBlocks(text)) return block;
  return undefined;
}
