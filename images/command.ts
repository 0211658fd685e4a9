import { execFileSync } from 'node:child_process';

/** Runs a program to its end and returns its standard output; throws with its standard error. */
export function command(file: string, parameters: string[], options: { cwd?: string } = {}): string {
  try {
    return execFileSync(file, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`${file} ${parameters.join(' ')}: ${stderr?.trim() || message}`);
  }
}
