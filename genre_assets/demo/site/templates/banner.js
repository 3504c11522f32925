// A cookie banner on every page, as the real site has one.
const banner = document.createElement("div");
banner.id = "CybotCookiebotDialog";
banner.textContent = "This demo sets one cookie and reads none.";
banner.style = "position:fixed;bottom:0;right:0;background:#fff;border:1px solid #ccc;padding:.4rem .8rem;font-size:12px";
document.body.append(banner);
