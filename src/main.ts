import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// V8 allocates as long-lived what was found alive by a rush of requests, for good: from then on their garbage, and all that
// it refers to, is only collected with the whole heap.
setFlagsFromString('--no-allocation-site-pretenuring');
// Reading compiled code from a cache makes a start several times faster.
enableCompileCache();
// Output that is cut off (`backline get plans | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { runCommandLine } = await import('#cli/program.ts');
process.exitCode = await runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  directory: process.cwd(),
});
