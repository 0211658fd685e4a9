import { homedir } from 'node:os';
import { join } from 'node:path';

/** What tests build or unpack once and keep outside the repository. */
export const cacheDirectory = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'skypod');
