import { existsSync, renameSync, rmSync } from 'node:fs';

/** Puts a finished directory where it belongs; another process that was quicker with the same one wins. */
export function moveIntoPlace(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
    rmSync(from, { recursive: true, force: true });
  }
}
