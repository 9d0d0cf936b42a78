/** `attacker.ts NAME URL ADMIN_TOKEN SECONDS`: plays one attack, at the lowest priority, and ends. */
import { setPriority } from 'node:os';
import { play } from './attacks.ts';

const [name = '', url = '', adminToken = '', seconds = '3'] = process.argv.slice(2);
setPriority(19);
const end = new AbortController();
setTimeout(() => end.abort(), Number(seconds) * 1_000);
// Requests without an answer by then are dropped.
setTimeout(() => process.exit(0), Number(seconds) * 1_000 + 500);
await play(name, { url, adminToken }, end.signal);
process.exit(0);
