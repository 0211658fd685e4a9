/** What is wrong with an expression, where. */
export interface Issue {
  /** In UTF-16 units; undefined where no place is known. */
  offset: number | undefined;
  message: string;
}

/** An expression that does not compile: the message is what cel-go prints. */
export class CompileError extends Error {
  readonly issues: Issue[];

  constructor(source: string, issues: Issue[]) {
    super(display(source, issues));
    this.name = 'CompileError';
    this.issues = issues;
  }
}

/**
 * One block an issue, in the order of their places:
 *
 *     ERROR: <input>:1:6: undefined field 'x'
 *      | self.x
 *      | ....^
 */
function display(source: string, issues: Issue[]): string {
  const places = issues.map(({ offset, message }) => ({ ...placeOf(source, offset), message }));
  places.sort((a, b) => a.line - b.line || a.column - b.column);
  return places
    .map(({ line, column, text, message }) => {
      const head = `ERROR: <input>:${line}:${column + 1}: ${message}`;
      // Of no text there is nothing to show.
      if (line < 1 || source === '') return head;
      const shown = text.replaceAll('\t', ' ');
      const marks = [...shown].map((character) => ({
        before: character > '\x7f' ? '．' : '.',
        here: character > '\x7f' ? '＾' : '^',
      }));
      const dots = marks
        .slice(0, column)
        .map(({ before }) => before)
        .join('');
      return `${head}\n | ${shown}\n | ${dots}${marks[column]?.here ?? '^'}`;
    })
    .join('\n');
}

function placeOf(source: string, offset: number | undefined): { line: number; column: number; text: string } {
  if (offset === undefined) return { line: -1, column: -1, text: '' };
  const start = source.lastIndexOf('\n', offset - 1) + 1;
  const end = source.indexOf('\n', start);
  const line = source.slice(0, start).split('\n').length;
  return {
    line,
    // Of nothing at all, cel-go says that it ends before it begins.
    column: source === '' ? -1 : [...source.slice(start, offset)].length,
    text: source.slice(start, end < 0 ? undefined : end),
  };
}
