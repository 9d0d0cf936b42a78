/**
 * A page as a process: the web SDK of OpenFeature with its OFREP provider, following the server's events.
 * `node --experimental-eventsource ofrep-web-client.ts URL FLAG` prints the value at the start and whenever it changes.
 */
import { OpenFeature, ProviderEvents, type Provider } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const [, , url = '', flag = ''] = process.argv;
await OpenFeature.setContext({ targetingKey: 'listener-1' });
const client = OpenFeature.getClient();
const show = (): void => void process.stdout.write(`${client.getStringValue(flag, 'code')}\n`);
client.addHandler(ProviderEvents.ConfigurationChanged, show);
// The two packages do not agree whether an absent member may be undefined.
const provider = new OFREPWebProvider({ baseUrl: url, cacheMode: 'disabled' }) as Provider;
await OpenFeature.setProviderAndWait(provider);
show();
