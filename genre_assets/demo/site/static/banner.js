// A banner that asks about cookies, as the site has one on every page, and the choice of page size.
const banner = document.createElement("div");
banner.id = "CybotCookiebotDialog";
banner.append("This demo sets three cookies and reads none. ");
const close = document.createElement("button");
close.textContent = "Fine";
close.onclick = () => banner.remove();
banner.append(close);
document.body.append(banner);

document.querySelector("select.per_page")?.addEventListener("change", (event) => {
  const query = new URLSearchParams(location.search);
  query.set("pageSize", event.target.value);
  query.set("page", 1);
  location.search = query;
});
