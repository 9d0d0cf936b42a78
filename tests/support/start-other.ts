import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { THIS_MACHINE } from '#kernel/outbound/address-policy.ts';
import type { StartOptions } from '#planes/parts/shared.ts';
import { startBackline } from '#planes/start.ts';
import { caller, type Call, type World } from './backline.ts';

/** Another process of the same installation, with its keys: an API server, or controllers that follow one. */
export async function startOther(
  t: TestContext,
  { dataDirectory, ...source }: Pick<World, 'dataDirectory'> & Pick<StartOptions, 'databaseUrl' | 'follow'>,
): Promise<{ readonly call: Call }> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-test-'));
  await cp(dataDirectory, folder, { recursive: true });
  const running = await startBackline({
    roles: source.follow === undefined ? ['api'] : ['controllers'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory: folder,
    ...source,
    log: openLog('silent'),
    allowOutbound: THIS_MACHINE,
  });
  t.after(async () => {
    await running.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { call: caller({ server: `http://127.0.0.1:${running.port}`, token: running.token }) };
}
