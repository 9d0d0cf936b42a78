import { stringify } from 'yaml';

/** A kubeconfig with one cluster, one user and one context; the authority is embedded. */
export function kubeconfig(given: { readonly server: string; readonly ca: string; readonly token: string }): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'backline',
        cluster: { server: given.server, 'certificate-authority-data': Buffer.from(given.ca).toString('base64') },
      },
    ],
    users: [{ name: 'admin', user: { token: given.token } }],
    contexts: [{ name: 'backline', context: { cluster: 'backline', user: 'admin', namespace: 'default' } }],
    'current-context': 'backline',
  });
}
