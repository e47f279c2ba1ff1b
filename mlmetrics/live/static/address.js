// The view in the address of the page: its service and its model.

export function viewOf(location) {
  const query = new URLSearchParams(location.search);
  return { service: query.get("service") ?? "", model: query.get("model") ?? "" };
}

export function queryOf({ service, model }) {
  const query = new URLSearchParams();
  if (service) query.set("service", service);
  if (model) query.set("model", model);
  return String(query);
}

export const addressOf = (view) => `?${queryOf(view)}`;
