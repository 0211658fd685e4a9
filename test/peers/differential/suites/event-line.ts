/** One event in a few words. */
export function eventLine(line: string): unknown {
  if (line === '') return '';
  try {
    const { type, object } = JSON.parse(line);
    if (type === 'ERROR') return { type, object };
    return `${type} ${object.kind} ${object.metadata?.name ?? ''} ${JSON.stringify(object.metadata?.annotations ?? {})}`;
  } catch {
    return line;
  }
}
