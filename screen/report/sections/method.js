(() => {
  const button = document.getElementById("copy-methods");
  if (!button) return;
  const text = document.getElementById("methods-text"), told = document.getElementById("copied");
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(text);
    const chosen = getSelection();
    chosen.removeAllRanges();
    chosen.addRange(range);
  };
  button.addEventListener("click", async () => {
    select();
    try {
      await navigator.clipboard.writeText(text.textContent);
      told.textContent = "copied";
    } catch {
      // A page in a file may not write to the clipboard in every browser.
      told.textContent = document.execCommand("copy") ? "copied" : "marked: press Ctrl+C";
    }
  });
})();
