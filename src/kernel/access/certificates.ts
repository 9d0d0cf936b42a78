import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from './refusals.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';

const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
const SERVER_DAYS = 397;
/** A certificate that ends within this time is replaced. */
const RENEW_DAYS = 30;

export interface ServerIdentity {
  /** PEM of the authority that clients must trust. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * The installation's own certificate authority and the server certificate that it signed, created at first start in
 * `directory`. The server certificate is renewed when it ends soon, lacks one of `hosts`, or is unreadable. Refuses
 * `access/bad-authority` when a part of the authority is missing or unreadable: clients trust no other.
 */
export async function serverIdentity(
  directory: string,
  hosts: readonly string[],
  now: Temporal.Instant,
): Promise<ServerIdentity> {
  await makeFolder(directory, 0o700);
  const file = (name: string) => join(directory, name);
  const read = (name: string) => readFile(file(name), 'utf8').catch(ifThere);
  const write = (name: string, text: string) => writeWhole(file(name), text);
  const nowMs = now.epochMilliseconds;
  // A clock that is a little slow must not make a fresh certificate "not yet valid".
  const notBeforeDate = new Date(nowMs - DAY_MS);

  let ca = await read('ca.crt');
  let caKey = await read('ca.key');
  const cert = await read('server.crt');
  const key = await read('server.key');
  // Half an authority without a certificate that it signed belongs to an interrupted first start.
  if ((ca === undefined || caKey === undefined) && cert === undefined) {
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
  if (ca === undefined) throw badAuthority(file('ca.crt'), 'it is missing');
  if (caKey === undefined) throw badAuthority(file('ca.key'), 'it is missing');
  const authority = pairOf(ca, caKey);
  if (authority === undefined) {
    throw badAuthority(`${file('ca.crt')} or ${file('ca.key')}`, 'they are no certificate and the key of it');
  }
  if (cert !== undefined && key !== undefined && stillGood(pairOf(cert, key), authority, hosts, nowMs)) {
    return { ca, cert, key };
  }
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

/** A missing file is created; an unreadable one is not overwritten. */
function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** A certificate with its key; undefined when one of them is unreadable or they do not match. */
function pairOf(cert: string, key: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(cert);
    return certificate.checkPrivateKey(createPrivateKey(key)) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

function badAuthority(what: string, why: string): Refusal {
  return accessRefusal('bad-authority', `The certificate authority is damaged: ${what}: ${why}.`);
}

/**
 * Checks every day whether the certificate ends soon, and renews it: a process may run for longer than that.
 * @param onRenewal called with each new certificate
 */
export function keepCertificate(parts: {
  readonly first: ServerIdentity;
  /** `serverIdentity` of this process. */
  readonly identity: () => Promise<ServerIdentity>;
  readonly onRenewal: (identity: ServerIdentity) => void;
  readonly time: Pick<Time, 'after'>;
  readonly log: Log;
}): { readonly endsAtMs: () => number; readonly stop: () => void } {
  const { identity, onRenewal, time, log } = parts;
  let { cert } = parts.first;
  let endsAtMs = endOf(cert);
  let cancel = time.after(DAY_MS, look);
  return { endsAtMs: () => endsAtMs, stop: () => cancel() };

  function look(): void {
    cancel = time.after(DAY_MS, look);
    identity()
      .then((found) => {
        if (found.cert === cert) return;
        onRenewal(found);
        cert = found.cert;
        endsAtMs = endOf(cert);
        log.info({ endsAt: new Date(endsAtMs).toISOString() }, 'certificate: renewed');
      })
      .catch((error: unknown) => {
        log.error(
          { error: String(error), endsAt: new Date(endsAtMs).toISOString() },
          'certificate: cannot renew; retrying tomorrow',
        );
      });
  }
}

function endOf(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime();
}

function stillGood(
  certificate: X509Certificate | undefined,
  authority: X509Certificate,
  hosts: readonly string[],
  nowMs: number,
): boolean {
  if (certificate === undefined) return false;
  const names = (host: string) =>
    (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
  return (
    certificate.checkIssued(authority) &&
    certificate.validToDate.getTime() - nowMs > RENEW_DAYS * DAY_MS &&
    hosts.every(names)
  );
}
