import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';

const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
const SERVER_DAYS = 397;
/** A certificate that ends within this time is replaced at start. */
const RENEW_DAYS = 30;

export interface ServerIdentity {
  /** PEM of the authority that clients must trust. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * The installation's own certificate authority and the server certificate that it signed, made at first start and kept
 * in `directory`. The server certificate is renewed when it is about to end or does not name one of `hosts`.
 */
export async function serverIdentity(
  directory: string,
  hosts: readonly string[],
  now: Temporal.Instant,
): Promise<ServerIdentity> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = (name: string) => join(directory, name);
  const read = (name: string) => readFile(file(name), 'utf8').catch(() => undefined);
  const write = (name: string, text: string) => writeFile(file(name), text, { mode: 0o600 });
  const nowMs = now.epochMilliseconds;
  // A clock that is a little behind must not make a fresh certificate "not yet valid".
  const notBeforeDate = new Date(nowMs - DAY_MS);

  let ca = await read('ca.crt');
  let caKey = await read('ca.key');
  if (ca === undefined || caKey === undefined) {
    const made = await generate([{ name: 'commonName', value: 'Backline CA' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      notBeforeDate,
      notAfterDate: new Date(nowMs + CA_DAYS * DAY_MS),
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
      ],
    });
    [ca, caKey] = [made.cert, made.private];
    await write('ca.key', caKey);
    await write('ca.crt', ca);
  }

  const cert = await read('server.crt');
  const key = await read('server.key');
  if (cert !== undefined && key !== undefined && stillGood(cert, ca, hosts, nowMs)) return { ca, cert, key };
  const made = await generate([{ name: 'commonName', value: 'backline' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate,
    notAfterDate: new Date(nowMs + SERVER_DAYS * DAY_MS),
    ca: { key: caKey, cert: ca },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: hosts.map((host) => (isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host })),
      },
    ],
  });
  await write('server.key', made.private);
  await write('server.crt', made.cert);
  return { ca, cert: made.cert, key: made.private };
}

function stillGood(pem: string, ca: string, hosts: readonly string[], nowMs: number): boolean {
  const certificate = new X509Certificate(pem);
  const names = (host: string) =>
    (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
  return (
    certificate.checkIssued(new X509Certificate(ca)) &&
    certificate.validToDate.getTime() - nowMs > RENEW_DAYS * DAY_MS &&
    hosts.every(names)
  );
}
