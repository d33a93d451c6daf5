package browsertest

import "strconv"

// overflow finds what extends beyond the right edge of the window, unless it is inside
// something that scrolls. A phone would zoom out to show it, or not show it at all.
const overflow = `(() => {
	const width = document.documentElement.clientWidth, out = [];
	if (document.documentElement.scrollWidth > width) out.push("the page is " + document.documentElement.scrollWidth + " pixels wide");
	for (const e of document.body.querySelectorAll("*")) {
		if (e.closest(".scroll") && !e.matches(".scroll")) continue;
		const box = e.getBoundingClientRect();
		if (seen(e) && box.width > 0 && box.right > width + .5) out.push(e.tagName + "." + e.className + " ends at " + box.right);
	}
	return out.join("; ");
})()`

// clipped finds text that cannot be read in full, because its element hides what does not
// fit.
const clipped = `[...document.body.querySelectorAll("*")].filter(e => seen(e) && e.textContent &&
	getComputedStyle(e).overflowX === "hidden" && e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + "." + e.className).join("; ")`

// faint finds text whose contrast with its background is less than 4.5 (WCAG 2, 1.4.3).
const faint = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number);
	const luminance = c => {
		const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
		return .2126 * r + .7152 * g + .0722 * b;
	};
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = rgb(getComputedStyle(e).backgroundColor);
			if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
		}
		return [255, 255, 255];
	};
	const out = [];
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || !seen(e)) continue;
		const [a, b] = [luminance(rgb(getComputedStyle(e).color)), luminance(behind(e))].sort((a, b) => b - a);
		const contrast = (a + .05) / (b + .05);
		if (contrast < 4.5) out.push(JSON.stringify(walk.currentNode.data) + " " + contrast.toFixed(2));
	}
	return out.join("; ");
})()`

// covered finds text that something else covers, such as the curve of the connections.
const covered = `[...document.querySelectorAll("svg")].filter(seen).flatMap(svg => {
	const a = svg.getBoundingClientRect();
	return [...svg.closest("figure").querySelectorAll("span, figcaption, li")].filter(e => {
		const b = e.getBoundingClientRect();
		return seen(e) && b.width > 0 && b.left < a.right && b.right > a.left && b.top < a.bottom - .5 && b.bottom > a.top + .5;
	});
}).map(e => e.textContent).join("; ")`

// dark tells from the background whether the page is dark.
const dark = `getComputedStyle(document.body).backgroundColor.match(/\d+/g).every(v => v < 60)`

// wantLayout checks the page as it is now, light and dark, as wide as a desktop and as a
// phone.
func (tab *tab) wantLayout(state string) {
	tab.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			tab.look(scheme, width)
			name := state + "-" + scheme + "-" + strconv.FormatInt(width, 10)
			tab.shoot(name)
			if got := eval[bool](tab, dark); got != (scheme == "dark") {
				tab.t.Errorf("%s: the page is dark: %v", name, got)
			}
			for what, js := range map[string]string{"sticks out": overflow, "is clipped": clipped, "is faint": faint, "is covered": covered} {
				if got := eval[string](tab, js); got != "" {
					tab.t.Errorf("%s: %s: %s", name, what, got)
				}
			}
		}
	}
	tab.look("light", 1280)
}
