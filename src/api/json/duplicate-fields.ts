/**
 * Findings of keys that occur twice in one object of a JSON text: `duplicate field "spec.replicas"`, each once.
 * JSON.parse keeps the last and says nothing, so the text itself is scanned. The text must be valid JSON.
 */
export function findDuplicateFields(text: string): string[] {
  return new Scanner(text).run();
}

export const duplicatesKept = 1000;

export const duplicateField = (path: string) => `duplicate field ${JSON.stringify(path)}`;

class Scanner {
  readonly #text: string;
  readonly #found = new Set<string>();
  readonly #path: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): string[] {
    this.#value();
    return [...this.#found];
  }

  #value(): void {
    this.#space();
    const code = this.#text.charCodeAt(this.#at);
    if (code === 0x7b) this.#object();
    else if (code === 0x5b) this.#array();
    else if (code === 0x22) this.#skipString();
    else this.#skipLiteral();
  }

  #object(): void {
    const seen = new Set<string>();
    this.#at++;
    for (;;) {
      this.#space();
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x2c) {
        this.#at++;
        continue;
      }
      if (code !== 0x22) {
        this.#at++;
        return;
      }
      const start = this.#at;
      this.#skipString();
      const raw = this.#text.slice(start + 1, this.#at - 1);
      const key = raw.includes('\\') ? JSON.parse(`"${raw}"`) : raw;
      this.#path.push(this.#path.length === 0 ? key : `.${key}`);
      if (seen.has(key) && this.#found.size < duplicatesKept) this.#found.add(duplicateField(this.#path.join('')));
      seen.add(key);
      this.#space();
      this.#at++;
      this.#value();
      this.#path.pop();
    }
  }

  #array(): void {
    this.#at++;
    for (let index = 0; ; index++) {
      this.#space();
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x5d || Number.isNaN(code)) {
        this.#at++;
        return;
      }
      this.#path.push(`[${index}]`);
      this.#value();
      this.#path.pop();
      this.#space();
      if (this.#text.charCodeAt(this.#at) === 0x2c) this.#at++;
    }
  }

  #skipString(): void {
    let end = this.#at;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) {
        this.#at = this.#text.length;
        return;
      }
    } while (this.#isEscaped(end));
    this.#at = end + 1;
  }

  #isEscaped(at: number): boolean {
    let backslashes = 0;
    while (this.#text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
    return backslashes % 2 === 1;
  }

  #skipLiteral(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x2c || code === 0x7d || code === 0x5d || code <= 0x20 || Number.isNaN(code)) return;
      this.#at++;
    }
  }

  #space(): void {
    while (this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
  }
}
