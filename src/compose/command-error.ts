/** An error whose message is for the person at the command line: one line, what is wrong and what to do. */
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

export function reportAndExit(error: unknown): never {
  if (error instanceof CommandError) {
    process.stderr.write(`skypod: ${error.message}\n`);
    process.exit(error.exitCode);
  }
  process.stderr.write(`skypod: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
