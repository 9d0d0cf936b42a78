/** A child process of the tests: owns the server on a directory, says how to reach it, and waits to be killed. */
import { startEmbeddedPostgres } from '../embedded.ts';

const server = await startEmbeddedPostgres({ dataDirectory: process.argv[2] ?? '' });
process.stdout.write(`${JSON.stringify({ url: server.url, pid: server.pid })}\n`);
