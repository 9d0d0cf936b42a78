/** Small objects of the products domain, as a user would declare them. */

const apiVersion = 'products.backline.dev/v1';

export function market(name: string, spec: object = {}): object {
  return {
    apiVersion,
    kind: 'Market',
    metadata: { name, namespace: 'default' },
    spec: {
      title: name.toUpperCase(),
      territories: [name.toUpperCase()],
      zone: 'Europe/Berlin',
      currencies: [{ code: 'EUR' }],
      tax: { inclusive: true, rate: '19', name: 'VAT' },
      ...spec,
    },
  };
}

export function feature(name: string, spec: object = {}): object {
  return {
    apiVersion,
    kind: 'Feature',
    metadata: { name, namespace: 'default' },
    spec: { title: name, type: 'boolean', ...spec },
  };
}

export function plan(name: string, spec: object = {}): object {
  return {
    apiVersion,
    kind: 'Plan',
    metadata: { name, namespace: 'default' },
    spec: { title: name, group: 'individual', rank: 10, seats: 1, entitlements: [], ...spec },
  };
}

export function price(name: string, spec: object): object {
  return { apiVersion, kind: 'Price', metadata: { name, namespace: 'default' }, spec: { interval: 'P1M', ...spec } };
}
