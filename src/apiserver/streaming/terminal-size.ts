/** Takes `{"Width":80,"Height":24}` objects out of a text stream, in whatever pieces it comes; rubbish is skipped. */
export function parseSizes(listener: (width: number, height: number) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const parts = (rest + text).split('}');
    rest = parts.pop()!.slice(-256);
    for (const part of parts) {
      const { Width, Height } = parseObject(`${part}}`);
      if (isSize(Width) && isSize(Height)) listener(Width, Height);
    }
  };
}

function parseObject(text: string): { Width?: unknown; Height?: unknown } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= 65_535;
