import { spawn } from 'node:child_process';

/**
 * Runs a program to its end.
 * @returns its standard output
 * @throws with its standard error when its exit status is not 0
 */
export function run(program: string, args: string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.stdin?.on('error', () => {});
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ${args.join(' ')} ended with code ${code}: ${errors.trim().slice(0, 2000)}`));
    });
    if (input !== undefined) child.stdin?.end(input);
  });
}

/** One nftables transaction: all of `script` or nothing. `namespacePath` undefined: the namespace of this process. */
export async function runNft(namespacePath: string | undefined, script: string): Promise<void> {
  if (namespacePath === undefined) await run('nft', ['-f', '-'], script);
  else await run('nsenter', [`--net=${namespacePath}`, 'nft', '-f', '-'], script);
}
