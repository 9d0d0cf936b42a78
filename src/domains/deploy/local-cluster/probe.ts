import { request } from 'node:http';
import { connect } from 'node:net';

/** Answers that say that a replica works, as for probes of Kubernetes. */
const WORKING = { from: 200, below: 400 } as const;

/** Why a replica does not answer; undefined where it does. It has so much time. */
export function probe(port: number, path: string | undefined, msMax: number): Promise<string | undefined> {
  return path === undefined ? probeConnection(port, msMax) : probePath(port, path, msMax);
}

function probePath(port: number, path: string, msMax: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(msMax);
    const asked = request({ host: '127.0.0.1', port, path, agent: false, signal }, (answer) => {
      const { statusCode: status = 0 } = answer;
      answer.destroy();
      resolve(status >= WORKING.from && status < WORKING.below ? undefined : `${path} answered ${status}`);
    });
    asked.once('error', (error) => resolve(signal.aborted ? `${path} did not answer in ${msMax} ms` : causeOf(error)));
    asked.end();
  });
}

function probeConnection(port: number, msMax: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.setTimeout(msMax);
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end(`port ${port} did not answer in ${msMax} ms`));
    socket.once('error', (error) => end(causeOf(error)));
  });
}

function causeOf(error: Error): string {
  return 'code' in error && error.code === 'ECONNREFUSED' ? 'nothing listens on its PORT yet' : error.message;
}
