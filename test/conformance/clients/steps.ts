export interface CheckResult {
  name: string;
  /** undefined: it is as it should be. */
  problem?: string;
}

/** Takes the steps in order, the later ones too when one fails; one result a step. */
export async function takeSteps(steps: Record<string, () => Promise<void>>): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
      results.push({ name });
    } catch (error) {
      results.push({ name, problem: (error as Error).message.trim().replaceAll('\n', '; ').slice(0, 1000) });
    }
  }
  return results;
}

/** @throws Error that shows the text when one of the patterns is not in it. */
export function mustHave(text: string, ...patterns: RegExp[]): void {
  for (const pattern of patterns) if (!pattern.test(text)) throw new Error(`${pattern} is not in: ${text}`);
}
